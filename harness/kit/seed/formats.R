# The results of python_script.py read back into R, format by format: what each keeps and costs.

# The values of HARD in python_script.py, as R shows them with 17 digits. A whole number beyond
# 2^53 has no place in R's own numbers; it is there to see how each format lets go of it.
hard_values <- list(
  doubles = c(
    "0.30000000000000004", "0.33333333333333331", "1.0000000000000001e+300",
    "4.9406564584124654e-324", "-0"
  ),
  special = c("NaN", "Inf", "-Inf", "NA", "1.5"),
  text = c("na\u00efve \u4e2d\U0001F389", "a \"quoted\", comma", "two\nlines", "NA", ""),
  integers = c("42", "-1", "2147483647", "2147483648", "9007199254740993")
)

# Each value as a text, so that NA, NaN, -0 and every digit can be told apart.
shown <- function(values) {
  vapply(as.list(values), function(value) {
    if (is.null(value)) return("NULL")
    if (!is.atomic(value) || length(value) != 1L) return(paste("a", class(value)[[1L]]))
    if (is.character(value)) return(if (is.na(value)) "missing" else enc2utf8(value))
    if (is.nan(value)) return("NaN")
    if (is.na(value)) return("NA")
    if (is.numeric(value)) sprintf("%.17g", as.double(value)) else as.character(value)
  }, "", USE.NAMES = FALSE)
}

# What became of one kind of hard values: `kept`, or what changed.
lost_of <- function(kind, values) {
  if (is.null(values)) return(list("cannot be carried"))
  wanted <- hard_values[[kind]]
  got <- shown(values)
  if (length(got) != length(wanted)) return(list(sprintf("%d of them came", length(got))))
  changed <- which(got != wanted)
  if (kind == "text") wanted <- encodeString(wanted, quote = "\"")
  as.list(sprintf("%s came as %s", wanted[changed], got[changed]))
}

# A file of numpy's own format, in base R; NULL for what R has no number for.
read_npy <- function(path) {
  connection <- file(path, "rb")
  on.exit(close(connection))
  start <- readBin(connection, "raw", 8L)
  if (!identical(start[1:6], as.raw(c(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59)))) {
    stop(path, " is no file of numpy's", call. = FALSE)
  }
  long <- as.integer(start[[7L]]) > 1L
  size <- readBin(
    connection, "integer", 1L, size = if (long) 4L else 2L, endian = "little", signed = long
  )
  header <- rawToChar(readBin(connection, "raw", size))
  if (!grepl("'descr': '<f8'", header, fixed = TRUE)) return(NULL)
  shape <- regmatches(header, regexpr("\\([0-9, ]*\\)", header))
  extent <- as.integer(regmatches(shape, gregexpr("[0-9]+", shape))[[1L]])
  values <- readBin(connection, "double", prod(extent), size = 8L, endian = "little")
  if (length(extent) == 2L) {
    # By rows, unless the header says otherwise.
    by_rows <- grepl("'fortran_order': False", header, fixed = TRUE)
    return(matrix(values, extent[[1L]], extent[[2L]], byrow = by_rows))
  }
  values
}

# The formats: `files` that Python wrote, `read()` which gives `weights` and `hard`, and for one
# that R must be able to read, `must`.
formats_of <- function(kit, asked) {
  json <- function(file) function() jsonlite::fromJSON(file)
  list(
    json = list(
      files = "results.json", must = FALSE, package = "jsonlite", read = json("results.json")
    ),
    "json-strings" = list(
      files = "results-strings.json", must = TRUE, package = "jsonlite",
      read = json("results-strings.json")
    ),
    pickle = list(
      files = "results.pickle", must = TRUE, package = "reticulate",
      ready = function() {
        reticulate::use_python(asked$python, required = TRUE)
        reticulate::py_run_string("import pickle, numpy")
      },
      read = function() reticulate::py_load_object("results.pickle")
    ),
    csv = list(files = c("weights.csv", "hard.csv"), must = TRUE, read = function() {
      list(
        weights = unname(as.matrix(utils::read.csv("weights.csv", header = FALSE))),
        hard = as.list(utils::read.csv("hard.csv", encoding = "UTF-8"))
      )
    }),
    npy = list(
      files = c("weights.npy", "doubles.npy", "special.npy", "integers.npy"), must = TRUE,
      read = function() {
        kinds <- c(doubles = "doubles.npy", special = "special.npy", integers = "integers.npy")
        list(weights = read_npy("weights.npy"), hard = lapply(kinds, read_npy))
      }
    ),
    arrow = list(files = "results.feather", must = FALSE, package = "arrow")
  )
}

try_formats <- function(kit, asked) {
  truth <- kit$read_array("truth.bin")
  written <- kit$from_json(kit$read_text("written.json"))
  formats <- formats_of(kit, asked)
  sapply(names(formats), function(name) {
    tried <- try_format(kit, name, formats[[name]], truth)
    c(list(must = formats[[name]]$must, write_s = written[[name]]), tried)
  }, simplify = FALSE)
}

# One format: what was read against what was written.
try_format <- function(kit, name, format, truth) {
  package <- if (is.null(format$package)) "base" else format$package
  if (!requireNamespace(package, quietly = TRUE)) {
    return(list(unsupported = paste("R has no package", package, "here")))
  }
  absent <- format$files[!file.exists(format$files)]
  if (length(absent) > 0L) {
    return(list(unsupported = paste("Python left no", paste(absent, collapse = ", "))))
  }
  bytes <- sum(file.size(format$files))
  failed <- function(condition) {
    message <- kit$one_line(conditionMessage(condition))
    if (grepl("NaN", message, fixed = TRUE) || grepl("invalid char", message, fixed = TRUE)) {
      kit$say("finding", id = "json-nan-inf", text = paste0(
        "json.dump() writes NaN and Infinity as no JSON parser of R reads them (", message,
        "); the strings \"NaN\", \"Inf\" and \"-Inf\" are numbers to jsonlite"
      ))
    }
    list(status = "fail", message = message, bytes = bytes)
  }
  tryCatch({
    ready <- if (is.null(format$ready)) NULL else kit$seconds_of(format$ready())
    got <- NULL
    took <- kit$seconds_of(got <- format$read())
    if (!is.matrix(got$weights) || !identical(dim(got$weights), dim(truth))) {
      stop("the weights arrived as no matrix, but as a ", class(got$weights)[[1L]], call. = FALSE)
    }
    difference <- max(abs(got$weights - truth))
    kinds <- names(hard_values)
    lost <- lapply(stats::setNames(kinds, kinds), function(kind) lost_of(kind, got$hard[[kind]]))
    wrapped <- grep("^2147483648|^9007199254740993 came as -?[0-9]{1,10}$", lost$integers)
    if (length(wrapped) > 0L) {
      kit$say("finding", id = "int64-wraps", text = sprintf(
        "Python's integers beyond 32 bits arrive in R as others, by way of %s: %s", name,
        paste(lost$integers[wrapped], collapse = ", ")
      ))
    }
    list(
      status = "pass", bytes = bytes, ready_s = ready, read_s = took,
      exact = identical(difference, 0), max_difference = difference, lost = lost
    )
  }, error = failed)
}
