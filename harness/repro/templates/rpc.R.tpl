#: start
# @{title}
#: start ?backend
Sys.setenv(KERAS_BACKEND = "@{backend}")
#: bridge
#!raised
@{transport}
#: python
python <- Sys.getenv("PYTHON", file.path(getwd(), ".venv/bin/python"))
# R puts its own libraries first, for its children as well: another libpython may be among them.
Sys.unsetenv("LD_LIBRARY_PATH")
unlink(c("server.txt", "server.sock"))
system2(python, "server.py", wait = FALSE)
#!raised
#!judged
for (patience in 1:600) if (file.exists("server.txt")) break else Sys.sleep(0.1)
server <- scan("server.txt", quiet = TRUE)
invisible(reg.finalizer(globalenv(), function(...) tools::pskill(server[[1L]]), onexit = TRUE))
link <- connect(server[[2L]])
# Has the server execute Python code, in which `data` are the bytes that go with it.
run <- function(code, data = raw()) {
  code <- charToRaw(code)
  reply <- rawToChar(exchange(link, c(charToRaw(sprintf("%d\n", length(code))), code, data)))
  if (reply != "ok") stop(reply)
}
cat(R.version.string, "\n")
run("import sys; print('Python', sys.version, flush=True)")
#: convert
i <- 0:639
j <- 0:783
noise <- (outer(i * 7919, j * 104729, "+") + outer(i, j) %% 9973 * 31) %% 256
x <- ((255 * (outer(i %% 10 * 101, j * 37, "+") %% 10 < 3) * 3 + noise) %/% 4) / 255
run("import numpy as np")
#!raised
#!judged
run("x = np.frombuffer(data).reshape((640, 784), order='F')", writeBin(as.vector(x), raw()))
run("y = np.frombuffer(data, dtype='int32')", writeBin(as.integer(i %% 10), raw()))
#: call
sent <- c(0.1 + 0.2, 1 / 3, 2 / 3, 1e300, 123456789.123456789)
#!raised
#!judged
run("import struct; print(struct.unpack('<5d', data), flush=True)", writeBin(sent, raw()))
cat("sent:", format(sent, digits = 17), "\n")
#: error
fails <- "raise ValueError('planted in Python')"
#!raised
message <- tryCatch({ run(fails); NULL }, error = conditionMessage)
#!judged
if (is.null(message)) stop("Python's exception was swallowed")
cat("R sees:", message, "\n")
#: end
cat("All done.\n")
#!raised
#!judged
