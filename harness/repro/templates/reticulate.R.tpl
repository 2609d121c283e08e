#: start
# @{title}
#: start ?backend
Sys.setenv(KERAS_BACKEND = "@{backend}")
#: bridge ?library
.libPaths(c("library", .libPaths()))
#: bridge
#!raised
library(reticulate)
cat(R.version.string, "with reticulate", format(packageVersion("reticulate")), "\n")
#: python
python <- Sys.getenv("PYTHON", file.path(getwd(), ".venv/bin/python"))
#: python ?hidden
# reticulate hides what the child says that it asks for Python's configuration. This is it:
system2(python, shQuote(system.file("config", "config.py", package = "reticulate")), stdout = FALSE)
#: python
#!raised
use_python(python, required = TRUE)
py_run_string("import sys; print('Python', sys.version, flush=True)")
#: import
for (name in intersect(c("@{framework}", "numpy"), names(import("sys")$modules))) {
  cat(name, as.character(import(name)$`__version__`), "\n")
}
#: op
py_run_string("def values(rows): return [float(value) for row in rows for value in row]")
got <- as.numeric(unlist(py$values(product)))
#!judged
if (!identical(got, c(19, 22, 43, 50))) stop("it gave ", toString(got), ", not 19, 22, 43, 50")
#: convert
i <- 0:639
j <- 0:783
noise <- (outer(i * 7919, j * 104729, "+") + outer(i, j) %% 9973 * 31) %% 256
x <- ((255 * (outer(i %% 10 * 101, j * 37, "+") %% 10 < 3) * 3 + noise) %/% 4) / 255
y <- array(as.integer(i %% 10))
#!raised
x_arrived <- r_to_py(x)
y_arrived <- r_to_py(y)
py_run_string("def flat(array): return [float(value) for value in array.ravel(order='F')]")
#!judged
stopifnot(all(py$flat(x_arrived) == as.vector(x)), all(py$flat(y_arrived) == y))
#: train
cat("losses:", losses, "\n")
#!judged
stopifnot(is.finite(losses), losses[[length(losses)]] < losses[[1L]])
#: call
py_run_string("def noop(): return None\ndef echo(value): return value")
#!raised
stopifnot(is.null(py$noop()))
sent <- list(
  0.1 + 0.2, 42L, TRUE, "na\u00efve 'q\"uote'", c(1 / 3, 2 / 3, 1e300), 123456789.123456789, ""
)
show <- function(value) deparse(value, control = "digits17")
for (value in sent) {
  got <- py$echo(value)
  cat("sent", show(value), "and got", show(got), "\n")
#!judged
  if (!identical(got, value)) stop("sent ", show(value), ", and ", show(got), " came back")
}
#: callback
py_run_string("
def train(heard, epochs):
    return float(sum(heard(epoch, 1 / (epoch + 1)) for epoch in range(epochs)))
")
heard <- function(epoch, loss) {
  cat("R hears of epoch", epoch, "with loss", loss, "\n")
  10 * epoch
}
#!raised
result <- py$train(heard, 4L)
#!judged
stopifnot(identical(as.numeric(result), 60))
#: callback ?keras
np <- import("numpy", convert = FALSE)
model <- keras$Sequential(list(keras$Input(shape = list(2L)), keras$layers$Dense(1L)))
model$compile(optimizer = "sgd", loss = "mse")
told <- keras$callbacks$LambdaCallback(
  on_epoch_end = function(epoch, logs) heard(as.integer(epoch), logs[["loss"]])
)
model$fit(np$ones(list(8L, 2L)), np$ones(8L), epochs = 4L, verbose = 0L, callbacks = list(told))
#: error
py_run_string("
def fails(): raise ValueError('planted in Python')
def seen(function):
    try: function()
    except Exception as error: return type(error).__name__ + ': ' + str(error)
")
#!raised
message <- tryCatch({ py$fails(); NULL }, error = conditionMessage)
#!judged
if (is.null(message)) stop("Python's exception was swallowed")
cat("R sees:", message, "\n")
back <- py$seen(function() stop("planted in R"))
cat("Python sees:", back, "\n")
stopifnot(grepl("planted in Python", message), !is.null(back), grepl("planted in R", back))
#: seed
i <- 0:511
j <- 0:783
noise <- (outer(i * 7919, j * 104729, "+") + outer(i, j) %% 9973 * 31) %% 256
x_train <- ((255 * (outer(i %% 10 * 101, j * 37, "+") %% 10 < 3) * 3 + noise) %/% 4) / 255
y_train <- diag(10)[i %% 10 + 1, ]
# The documented example:
#!raised
#!judged
@{example}
#: upstream
# reticulate's own tests, from its source (setup.sh puts it here).
Sys.setenv(RETICULATE_PYTHON = python)
#!raised
#!judged
testthat::test_dir("reticulate/tests/testthat", package = "reticulate", stop_on_failure = TRUE)
#: end
cat("All done.\n")
#!raised
#!judged
