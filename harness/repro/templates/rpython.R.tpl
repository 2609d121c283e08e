#: start
# @{title}
#: start ?backend
Sys.setenv(KERAS_BACKEND = "@{backend}")
#: bridge
python <- Sys.getenv("PYTHON", file.path(getwd(), ".venv/bin/python"))
# By `python` on PATH, an embedded Python finds its own packages.
Sys.setenv(PATH = paste(dirname(python), Sys.getenv("PATH"), sep = ":"))
.libPaths(c("library", .libPaths()))
#: bridge ?remedies
# libpython first, with its symbols for all to see: rPython looks for it by a name that is wrong.
code <- "import sysconfig as s; print(s.get_config_var('LIBDIR'), s.get_config_var('INSTSONAME'))"
said <- system2(python, c("-c", shQuote(code)), stdout = TRUE)
dyn.load(sub(" ", "/", said), local = FALSE)
#: bridge
cat(R.version.string, "with rPython", format(packageVersion("rPython")), "\n")
#!raised
#!judged
library(rPython)
run <- function(code) python.exec(strsplit(code, "\n")[[1L]])
#: python
#!raised
#!judged
run("import sys\nif not hasattr(sys, 'argv'): sys.argv = ['']\nprint('Python', sys.version)")
#: convert
i <- 0:639
j <- 0:783
noise <- (outer(i * 7919, j * 104729, "+") + outer(i, j) %% 9973 * 31) %% 256
x <- (255 * (outer(i %% 10 * 101, j * 37, "+") %% 10 < 3) * 3 + noise) %/% 4
run(r"---(
import numpy as np
def receive(pixels, labels):
    global x, y
    x, y = np.array(pixels) / 255.0, np.array(labels)
    return x.sum()
)---")
#!raised
arrived <- python.call("receive", matrix(as.integer(x), nrow(x)), as.integer(i %% 10))
#!judged
stopifnot(isTRUE(all.equal(arrived, sum(x / 255), tolerance = 1e-6)))
#: call
python.exec("def echo(value): return value")
sent <- list(0.1 + 0.2, 42L, TRUE, "na\u00efve", c(1 / 3, 2 / 3, 1e300), 123456789.123456789)
show <- function(value) deparse(value, control = "digits17")
wrong <- 0
for (value in sent) {
#!raised
  got <- python.call("echo", value)
  cat("sent", show(value), "and", show(got), "came back\n")
  if (!isTRUE(all.equal(unname(got), value, tolerance = 0))) wrong <- wrong + 1
}
#!judged
if (wrong > 0) stop(wrong, " of the values changed on their way")
#: error
python.exec("def fails(): raise ValueError('planted in Python')")
#!raised
message <- tryCatch({ python.call("fails"); NULL }, error = conditionMessage)
if (is.null(message)) stop("Python's exception was swallowed")
cat("R sees:", message, "\n")
python.exec("kept = 4711")
python.get("kept")
told <- function(expr) inherits(tryCatch(expr, error = identity), "error")
#!judged
silent <- c(
  "python.exec() of code with a SyntaxError" = !told(python.exec("no python (")),
  "python.get() of a name that does not exist" = !told(python.get("never_assigned"))
)
if (any(silent)) stop(toString(names(silent)[silent]), " returned as if nothing had happened")
#: end
cat("All done.\n")
#!raised
#!judged
