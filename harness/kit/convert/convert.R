# The probe `convert` in R: makes values, carries them, and says what arrived.
#
# Both languages have the same four functions, which the path's driver calls over its bridge:
# take(name, value) describes a value of the other language and keeps it, give_back() returns it,
# make(name) returns a value of this language, and check(name, value) describes what came back of
# it. The same for Python is in harness_convert.py; convert_watch.py has the drivers started.
#
# Base R 4.0 to 4.6 alone, and Matrix where a value is made of it. kit$load_convert() loads it into
# an environment that has the kit as `kit` and child.R as `child`.

MOST_TEXT <- 300L
MOST_WARNINGS <- 5L

# --- Fixtures -------------------------------------------------------------------------------

fixtures <- new.env()

# The text of each fixture by name. The files are YAML whose entries are written in its JSON form,
# so that base R can read them; an entry begins with "- {" in the first column. What is in an entry
# is read when it is needed: many are for the other language alone.
read_fixtures <- function(folder) {
  for (file in list.files(folder, "\\.yaml$", full.names = TRUE)) {
    lines <- readLines(file, encoding = "UTF-8", warn = FALSE)
    lines <- lines[nzchar(trimws(lines)) & !grepl("^[[:space:]]*#", lines)]
    for (entry in split(lines, cumsum(startsWith(lines, "- ")))) {
      text <- paste(sub("^- ", "", entry), collapse = "\n")
      name <- sub("^.*?\"name\": *\"([^\"]+)\".*$", "\\1", entry[[1L]], perl = TRUE)
      assign(name, text, envir = fixtures)
    }
  }
}

fixture <- function(name) {
  if (length(ls(fixtures)) == 0L) read_fixtures(Sys.getenv("HARNESS_FILES_OF_CONVERT"))
  kit$from_json(get(name, envir = fixtures))
}

# --- Values ---------------------------------------------------------------------------------

# A number of a JSON number, of a hexadecimal text, or of "NaN", "Inf", "-Inf"; NULL is NA.
number <- function(value) {
  if (is.null(value)) return(NA_real_)
  if (identical(value, "NaN")) return(NaN)
  as.numeric(value)
}

# One element of each type of vector.
elements <- list(
  logical = function(value) if (is.null(value)) NA else value,
  integer = function(value) if (is.null(value)) NA_integer_ else as.integer(value),
  double = number,
  character = function(value) if (is.null(value)) NA_character_ else value,
  complex = function(value) {
    if (is.null(value)) NA_complex_ else complex(
      real = number(value[[1L]]), imaginary = number(value[[2L]])
    )
  },
  raw = function(value) as.raw(strtoi(value, 16L))
)

# A vector of a typed tree's values.
vector_of <- function(type, values) {
  made <- vapply(values, elements[[type]], vector(type, 1L), USE.NAMES = FALSE)
  if (length(values) == 0L) vector(type, 0L) else made
}

# A text of each value, NA where there is none.
texts <- function(values) vector_of("character", values)

# The value that a typed tree stands for.
build <- function(tree) {
  type <- tree$type
  if (type == "NULL") return(NULL)
  value <- if (type %in% names(elements)) vector_of(type, tree$values) else builders[[type]](tree)
  # `[[`, because `$` takes a part of a name for the whole.
  if (!is.null(tree[["dim"]])) dim(value) <- as.integer(unlist(tree[["dim"]]))
  if (!is.null(tree[["dimnames"]])) {
    dimnames(value) <- lapply(tree[["dimnames"]], function(one) if (!is.null(one)) texts(one))
  }
  if (!is.null(tree[["names"]])) names(value) <- texts(tree[["names"]])
  value
}

sparse_of <- function(tree) {
  if (!requireNamespace("Matrix", quietly = TRUE)) {
    kit$refuse("unavailable", "the R of this cell has no package Matrix")
  }
  at <- function(which) vapply(tree$entries, function(entry) entry[[which]], 0)
  made <- Matrix::sparseMatrix(
    i = at(1L), j = at(2L), x = at(3L), index1 = FALSE, dims = unlist(tree$shape)
  )
  if (tree$type == "dgTMatrix") made <- methods::as(made, "TsparseMatrix")
  if (tree$type == "dgRMatrix") made <- methods::as(made, "RsparseMatrix")
  if (!is.null(tree$row_names)) {
    dimnames(made) <- list(texts(tree$row_names), texts(tree$column_names))
  }
  made
}

builders <- list(
  factor = function(tree) {
    factor(texts(tree$values), levels = texts(tree$levels), ordered = isTRUE(tree$ordered))
  },
  Date = function(tree) as.Date(texts(tree$values)),
  POSIXct = function(tree) {
    value <- as.POSIXct(texts(tree$values), format = "%Y-%m-%dT%H:%M:%OS", tz = "UTC")
    attr(value, "tzone") <- tree$zone
    value
  },
  POSIXlt = function(tree) {
    as.POSIXlt(texts(tree$values), format = "%Y-%m-%dT%H:%M:%OS", tz = tree$zone)
  },
  difftime = function(tree) as.difftime(vector_of("double", tree$values), units = tree$unit),
  list = function(tree) lapply(tree$items, build),
  data.frame = function(tree) {
    value <- lapply(tree$items, build)
    names(value) <- texts(tree[["names"]])
    rows <- if (is.null(tree$row_names)) {
      .set_row_names(as.integer(tree$length))
    } else {
      texts(tree$row_names)
    }
    structure(value, row.names = rows, class = "data.frame")
  },
  dgCMatrix = sparse_of, dgTMatrix = sparse_of, dgRMatrix = sparse_of,
  "function" = function(tree) eval(parse(text = tree$code), globalenv()),
  environment = function(tree) {
    value <- lapply(tree$items, build)
    names(value) <- texts(tree$keys)
    list2env(value, parent = emptyenv())
  },
  formula = function(tree) stats::as.formula(tree$code, env = globalenv()),
  bytes = function(tree) {
    value <- rawToChar(as.raw(strtoi(unlist(tree$values), 16L)))
    Encoding(value) <- tree$encoding
    value
  }
)

# --- Descriptions ---------------------------------------------------------------------------

# All digits of a number, as text.
text_of_number <- function(value) {
  if (is.nan(value)) return("NaN")
  if (is.na(value)) return(NULL)
  if (is.infinite(value)) return(if (value > 0) "Inf" else "-Inf")
  sprintf("%.17g", value)
}

# An element of a vector as text that Python writes the same way; NULL where it is NA.
text_of <- function(value) {
  if (is.complex(value)) {
    if (is.na(value) && !is.nan(Re(value)) && !is.nan(Im(value))) return(NULL)
    parts <- lapply(c(Re(value), Im(value)), text_of_number)
    if (is.null(parts[[1L]]) || is.null(parts[[2L]])) return(NULL)
    return(paste(parts, collapse = ","))
  }
  if (is.raw(value)) return(as.character(value))
  if (is.double(value)) return(text_of_number(value))
  if (is.na(value)) return(NULL)
  if (is.logical(value)) return(if (value) "true" else "false")
  if (is.integer(value)) return(sprintf("%d", value))
  as.character(value)
}

texts_of <- function(values) lapply(seq_along(values), function(at) text_of(values[[at]]))

known_attributes <- c(
  "names", "dim", "dimnames", "class", "levels", "tzone", "units", "row.names", "srcref", "tsp"
)

# What a value is, in lists that kit$json() writes, down to the last element.
describe <- function(value, depth = 0L) {
  if (is.null(value)) return(list(type = "NULL"))
  if (depth > 8L) return(list(type = "deeper", reference = TRUE))
  if (inherits(value, "python.builtin.object")) {
    found <- list(type = class(value)[[1L]], reference = TRUE)
    if (is.function(value)) found$calls <- describe_function(value)$calls
    return(found)
  }
  if (is.environment(value)) {
    keys <- sort(ls(value, all.names = TRUE), method = "radix")
    return(list(
      type = "environment", keys = as.list(keys),
      items = lapply(keys, function(key) describe(get(key, envir = value), depth + 1L))
    ))
  }
  if (is.function(value)) return(describe_function(value))
  if (isS4(value)) return(describe_s4(value))
  if (is.language(value)) return(list(type = class(value)[[1L]], code = paste(deparse(value))))
  if (inherits(value, "POSIXlt")) {
    zone <- attr(value, "tzone")[[1L]]
    value <- as.POSIXct(value)
    return(list(type = "POSIXlt", values = instants(value), zone = zone))
  }
  if (is.data.frame(value)) return(describe_table(value, depth))
  if (is.list(value)) {
    found <- list(type = "list", items = lapply(unname(unclass(value)), describe, depth + 1L))
    return(with_attributes(found, value))
  }
  if (!is.atomic(value)) return(list(type = typeof(value), reference = TRUE))
  with_attributes(describe_vector(value), value)
}

describe_vector <- function(value) {
  if (is.factor(value)) {
    labels <- tryCatch(as.character(value), error = function(e) NULL)
    if (is.null(labels)) {
      # A bridge can make a factor that R itself refuses.
      return(list(type = "malformed factor", values = texts_of(as.vector(unclass(value)))))
    }
    return(list(
      type = "factor", levels = as.list(levels(value)), ordered = is.ordered(value),
      values = texts_of(labels)
    ))
  }
  if (inherits(value, "Date")) {
    return(list(type = "Date", values = texts_of(format(value, "%Y-%m-%d"))))
  }
  if (inherits(value, "POSIXct")) {
    zone <- attr(value, "tzone")
    found <- list(type = "POSIXct", values = instants(value))
    if (length(zone) > 0L && nzchar(zone[[1L]])) found$zone <- zone[[1L]]
    return(found)
  }
  if (inherits(value, "difftime")) {
    return(list(
      type = "difftime", unit = attr(value, "units"), values = texts_of(as.double(unclass(value)))
    ))
  }
  list(type = typeof(value), values = texts_of(as.vector(unclass(value))))
}

# Microseconds since 1970, as texts.
instants <- function(value) {
  lapply(as.double(unclass(value)), function(one) if (!is.na(one)) sprintf("%.0f", one * 1e6))
}

# Add what a value has beside its elements.
with_attributes <- function(found, value) {
  if (!is.null(dim(value))) found$shape <- as.list(dim(value))
  if (!is.null(dimnames(value))) {
    found$dimnames <- lapply(unname(dimnames(value)), function(one) if (!is.null(one)) as.list(one))
  } else if (!is.null(names(value))) {
    found$names <- texts_of(names(value))
  }
  known <- c("factor", "ordered", "Date", "POSIXct", "POSIXt", "difftime")
  class <- setdiff(attr(value, "class"), known)
  if (length(class) > 0L) found$class <- as.list(class)
  others <- setdiff(names(attributes(value)), known_attributes)
  for (name in others) {
    text <- paste(deparse(attr(value, name)), collapse = " ")
    found$attributes[[name]] <- substr(text, 1L, MOST_TEXT)
  }
  found
}

describe_table <- function(value, depth) {
  found <- list(
    type = "data.frame", names = as.list(names(value)),
    items = lapply(seq_along(value), function(at) describe(value[[at]], depth + 1L)),
    length = nrow(value)
  )
  rows <- attr(value, "row.names")
  if (is.character(rows)) found$row_names <- as.list(rows)
  class <- setdiff(class(value), "data.frame")
  if (length(class) > 0L) found$class <- as.list(class)
  others <- setdiff(names(attributes(value)), known_attributes)
  for (name in others) found$attributes[[name]] <- class(attr(value, name))[[1L]]
  found
}

describe_s4 <- function(value) {
  found <- list(type = class(value)[[1L]])
  if (!methods::is(value, "sparseMatrix")) return(c(found, list(reference = TRUE)))
  whole <- methods::as(value, "TsparseMatrix")
  x <- if ("x" %in% methods::slotNames(whole)) whole@x else rep(TRUE, length(whole@i))
  order <- order(whole@i, whole@j)
  found$shape <- as.list(dim(value))
  found$entries <- lapply(order, function(at) {
    list(whole@i[[at]], whole@j[[at]], text_of(x[[at]]))
  })
  names <- dimnames(value)
  if (!is.null(names[[1L]])) found$row_names <- as.list(names[[1L]])
  if (!is.null(names[[2L]])) found$column_names <- as.list(names[[2L]])
  found
}

# A function is described by what it makes of 41.
describe_function <- function(value) {
  found <- list(type = "function")
  made <- tryCatch(value(41), error = function(e) e)
  if (inherits(made, "error")) {
    found$fails <- substr(conditionMessage(made), 1L, MOST_TEXT)
    return(found)
  }
  made <- describe(made)
  found$calls <- if (length(made$values) > 0L) made$values[[1L]] else made$type
  found
}

# --- What both languages have ---------------------------------------------------------------

held <- new.env()

take <- function(name, value) {
  note(name, "there", got = describe(value))
  assign("value", value, envir = held)
  invisible(NULL)
}

give_back <- function() get("value", envir = held)

make <- function(name) {
  value <- build(fixture(name)$value)
  note(name, "made", got = describe(value))
  # Another than the one that is sent: what changes that in its place must not be missed.
  assign(name, build(fixture(name)$value), envir = held)
  value
}

check <- function(name, value) {
  note(name, "back", got = describe(value), identical = identical_to_made(name, value))
  invisible(NULL)
}

# Functions and environments are the very same only where nothing else was made.
identical_to_made <- function(name, value) {
  made <- get(name, envir = held)
  if (is.environment(made)) return(identical(describe(made), describe(value)))
  identical(made, value)
}

# Append a line to the results; it is in the file when this returns.
note <- function(name, leg, ...) {
  line <- kit$json(c(list(name = name, leg = leg), list(...)))
  cat(line, "\n", file = Sys.getenv("HARNESS_CONVERT_RESULTS"), sep = "", append = TRUE)
}

# --- Where R is the host ----------------------------------------------------------------------

# Whether this process is to try values, not to have them tried.
is_child <- function() nzchar(Sys.getenv("HARNESS_CONVERT_LIST"))

# The probe: have this driver started again, by a Python that watches over it. With a child, try
# the values: `ask(function, ...)` calls one of the four functions in Python, and `refuses(e)` says
# whether an error is the path's own word that it cannot carry a value.
convert_probe <- function(asked, ask, refuses = function(condition) FALSE) {
  if (is_child()) {
    carry(ask, refuses)
    return(kit$nothing())
  }
  kit$phase("convert")
  driver <- file.path(Sys.getenv("HARNESS_PATH_FILES"), "driver.R")
  words <- c(
    file.path(Sys.getenv("HARNESS_KIT"), "convert", "convert_watch.py"),
    file.path(R.home("bin"), "Rscript"), "--no-init-file", driver
  )
  errors <- file.path(Sys.getenv("HARNESS_CELL"), "convert.stderr")
  kit$stage("convert", "values", {
    status <- child$with_libraries_of_caller(asked, child$run(asked$python, words, errors))
  })
  if (status != 0L) {
    stop("the values could not be tried: ", kit$last_line(kit$read_text(errors)), call. = FALSE)
  }
  kit$nothing()
}

# The leg of the value under way.
under_way <- new.env()

carry <- function(ask, refuses) {
  for (line in strsplit(readLines(Sys.getenv("HARNESS_CONVERT_LIST")), " ")) {
    name <- line[[2L]]
    note(name, "begin")
    under_way$leg <- "there"
    gone <- NULL
    tryCatch(
      if (line[[1L]] == "r") carry_ours(ask, refuses, name) else carry_theirs(ask, refuses, name),
      harness_refusal = function(condition) {
        if (condition$status == "crash") {
          note(name, under_way$leg, crash = conditionMessage(condition))
        } else {
          note(name, "there", unavailable = conditionMessage(condition))
        }
      },
      ProcessEnded = function(condition) {
        gone <<- condition
        note(name, under_way$leg, crash = conditionMessage(condition))
      },
      # Not the bridge's: the code here could not tell what it was given.
      error = function(condition) note(name, "fault", message = conditionMessage(condition))
    )
    note(name, "end")
    # Nobody is left to take the other values: the driver is started again for those.
    if (!is.null(gone)) stop(gone)
  }
}

carry_ours <- function(ask, refuses, name) {
  value <- make(name)
  ended <- tried(ask("take", name, value), refuses)
  do.call(note, c(list(name, "there"), ended$said))
  if (!ended$well) return(invisible())
  under_way$leg <- "back"
  ended <- tried(ask("give_back"), refuses)
  if (ended$well) {
    ended$said$got <- describe(ended$value)
    ended$said$identical <- identical_to_made(name, ended$value)
  }
  do.call(note, c(list(name, "back"), ended$said))
}

carry_theirs <- function(ask, refuses, name) {
  ended <- tried(ask("make", name), refuses)
  if (ended$well) ended$said$got <- describe(ended$value)
  do.call(note, c(list(name, "there"), ended$said))
  if (!ended$well) return(invisible())
  under_way$leg <- "back"
  ended <- tried(ask("check", name, ended$value), refuses)
  do.call(note, c(list(name, "back"), ended$said))
}

# Evaluate `expr`, which goes over the bridge: `value`, whether it went `well`, and what is to be
# `said` of it.
tried <- function(expr, refuses) {
  heard <- character()
  unavailable <- NULL
  found <- tryCatch(
    withCallingHandlers(
      # In a list: a value that is NULL would be dropped.
      list(value = list(expr), said = list()),
      warning = function(condition) {
        heard <<- c(heard, substr(conditionMessage(condition), 1L, MOST_TEXT))
        invokeRestart("muffleWarning")
      }
    ),
    error = function(condition) {
      if (inherits(condition, "harness_refusal") || kit$is_the_end(condition)) stop(condition)
      text <- kit$one_line(conditionMessage(condition))
      text <- substr(iconv(enc2utf8(text), "UTF-8", "UTF-8", sub = "byte"), 1L, MOST_TEXT)
      if (startsWith(text, "Unavailable: ") || inherits(condition, "Unavailable")) {
        kit$refuse("unavailable", sub("^Unavailable: ", "", text))
      }
      kind <- if (refuses(condition)) "unsupported" else "error"
      list(value = NULL, said = structure(list(text), names = kind))
    }
  )
  if (length(heard) > 0L) found$said$warnings <- as.list(utils::head(heard, MOST_WARNINGS))
  list(value = found$value[[1L]], well = !is.null(found$value), said = found$said)
}
