#: start
# @{title}
#: start ?backend
Sys.setenv(KERAS_BACKEND = "@{backend}")
#: python
cat(R.version.string, "\n")
python <- Sys.getenv("PYTHON", file.path(getwd(), ".venv/bin/python"))
# R puts its own libraries first, for its children as well: another libpython may be among them.
Sys.unsetenv("LD_LIBRARY_PATH")
#: convert
i <- 0:639
j <- 0:783
noise <- (outer(i * 7919, j * 104729, "+") + outer(i, j) %% 9973 * 31) %% 256
x <- ((255 * (outer(i %% 10 * 101, j * 37, "+") %% 10 < 3) * 3 + noise) %/% 4) / 255
writeBin(as.vector(x), "x.bin")
writeBin(as.integer(i %% 10), "y.bin")
#: call
sent <- c(0.1 + 0.2, 1 / 3, 2 / 3, 1e300, 123456789.123456789)
writeLines(sprintf("%.17g", sent), "sent.txt")
#: run ?!error
status <- system2(python, "work.py")
if (status != 0L) stop("Python ended with status ", status)
#: run ?error
said <- suppressWarnings(system2(python, "work.py", stdout = TRUE, stderr = TRUE))
cat(said, sep = "\n")
stopifnot(!is.null(attr(said, "status")), grepl("planted in Python", said[[length(said)]]))
#: run ?call
got <- as.numeric(readLines("got.txt"))
stopifnot(identical(got, sent))
