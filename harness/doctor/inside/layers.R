# What the doctor's R children share: layers, how they end, and what is said of R itself.
#
# Base R 4.0 to 4.6 alone, on top of the kit of the cells.

kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)
asked <- as.list(read.dcf(Sys.getenv("HARNESS_REQUEST"), all = FALSE)[1L, ])
asked <- lapply(asked, function(field) if (is.na(field)) "" else field)
options(warn = 1)

# R compiles a function when it is called for the second time, which takes a tenth of the whole
# examination and pays off for none of these.  The user's script is run as R would run it.
if (is.null(asked$script)) invisible(compiler::enableJIT(0L))

# What lies behind an R error; a path's own file replaces it.
python_error <- function(condition) NULL

# Say that a layer begins, evaluate, say how it ended; the first that fails ends the process.
layer <- function(name, expr) {
  kit$say("layer", name = name, state = "begin", at = as.numeric(Sys.time()))
  calls <- NULL
  ended <- tryCatch(
    withCallingHandlers(list(value = expr), error = function(condition) calls <<- sys.calls()),
    error = function(condition) list(failed = condition)
  )
  if (!is.null(ended$failed)) say_failure(name, ended$failed, calls)
  value <- ended$value
  if (!is.character(value)) value <- NULL
  kit$say("layer", name = name, state = "ok", at = as.numeric(Sys.time()), value = value)
  invisible(ended$value)
}

# Say all that is known of an error, and end.
say_failure <- function(name, condition, calls) {
  python <- tryCatch(python_error(condition), error = function(e) NULL)
  kit$say(
    "layer", name = name, state = "failed", at = as.numeric(Sys.time()),
    message = kit$tail_of(conditionMessage(condition)), class = class(condition)[[1L]],
    calls = kit$lines_of_calls(calls), python = python
  )
  say_libraries()
  quit(save = "no", status = 20L)
}

# Say which shared libraries this process has loaded, in the order of its memory map.
say_libraries <- function() {
  lines <- tryCatch(readLines("/proc/self/maps", warn = FALSE), error = function(e) character())
  lines <- lines[grepl(".so", lines, fixed = TRUE)]
  files <- unique(substring(lines, regexpr("/", lines, fixed = TRUE)))
  kit$say("libraries", files = as.list(files))
}

# End in peace after layer `name`, where no more was asked for.
finish_where <- function(name) if (identical(asked$until, name)) done()

# Say that all is done; what the process does after this is its end.
done <- function() {
  say_libraries()
  kit$phase("teardown")
  kit$say("done")
  quit(save = "no", status = 0L)
}

# The layer of R itself: which it is, and which variables it sees that its caller did not set.
start <- function() {
  kit$say("layer", name = "r", state = "ok", at = as.numeric(Sys.time()))
  variables <- as.list(Sys.getenv())
  mine <- grepl("^HARNESS_", names(variables))
  kit$say("variables", values = variables[!mine])
  kit$say("facts", facts = list(
    "r.version" = paste(R.version$major, R.version$minor, sep = "."), "r.home" = R.home(),
    "r.shlib" = file.exists(file.path(R.home("lib"), "libR.so"))
  ))
  kit$say(
    "r", libraries = as.list(.libPaths()), platform = R.version$platform,
    interactive = interactive(), folder = getwd(), locale = Sys.getlocale("LC_CTYPE")
  )
}

# What goes wrong without a word, from what each value was on the other side.
silent <- function(na, na_integer, na_character, big) {
  lost <- list()
  if (identical(na, "True")) lost[["NA"]] <- "NA arrives in Python as True"
  if (grepl("2147483648", na_integer)) {
    lost[["NA_integer_"]] <- paste("NA_integer_ arrives in Python as", na_integer)
  }
  if (identical(na_character, "'NA'")) {
    lost[["NA_character_"]] <- "NA_character_ arrives in Python as the text 'NA'"
  }
  if (!isTRUE(as.numeric(big) == 2^31 + 5)) {
    lost[["int64"]] <- paste("Python's 2147483653 arrives in R as", format(big, digits = 15))
  }
  lost
}
