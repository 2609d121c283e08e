# A user's script, run as it is and watched: which statement is under way, and, where it fails,
# which call, with which arguments, written where.

layers <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_DOCTOR"), "layers.R"), envir = layers)
local({
  kit <- layers$kit
  file <- layers$asked$script
  state <- new.env()

  # --- What the script does on the way -----------------------------------------------------------

  # The commands with which reticulate asks a Python what it is, with the standard error that it
  # throws away; nothing is kept from happening.
  setHook(packageEvent("reticulate", "onLoad"), function(...) {
    namespace <- asNamespace("reticulate")
    probe <- namespace$python_config_impl
    if (!is.function(probe)) return()
    around <- new.env(parent = environment(probe))
    around$system2 <- function(command, args = character(), stdout = "", stderr = "", ...) {
      kept <- tempfile("harness-doctor-")
      on.exit(unlink(kept))
      said <- suppressWarnings(base::system2(command, args, stdout = TRUE, stderr = kept, ...))
      status <- attr(said, "status")
      kit$say(
        "probe", command = command, args = as.list(args),
        status = if (is.null(status)) 0L else status,
        errors = kit$tail_of(readLines(kept, warn = FALSE)), output = kit$tail_of(said, 2000L)
      )
      said
    }
    environment(probe) <- around
    unlockBinding("python_config_impl", namespace)
    assign("python_config_impl", probe, namespace)
    lockBinding("python_config_impl", namespace)
  })

  # system() and system2() as they are; a command that fails without an error is said.
  watched <- new.env()
  say_command <- function(command, result) {
    status <- attr(result, "status")
    if (is.null(status) && is.numeric(result)) status <- result
    if (!is.null(status) && length(status) == 1L && status != 0) {
      kit$say("command", command = kit$one_line(command), status = status, line = state$line)
    }
  }
  watched$system <- function(command, ...) {
    seen <- withVisible(base::system(command, ...))
    say_command(command, seen$value)
    if (seen$visible) seen$value else invisible(seen$value)
  }
  watched$system2 <- function(command, args = character(), ...) {
    seen <- withVisible(base::system2(command, args, ...))
    say_command(c(command, args), seen$value)
    if (seen$visible) seen$value else invisible(seen$value)
  }

  # A variable that is set after Python has started, which takes a copy when it starts.
  watched$Sys.setenv <- function(...) {
    if ("reticulate" %in% loadedNamespaces() && reticulate::py_available()) {
      kit$say("late", names = as.list(names(list(...))), line = state$line)
    }
    base::Sys.setenv(...)
  }

  # --- The call that failed ----------------------------------------------------------------------

  # A value in words that a program can judge.
  describe <- function(value) {
    python <- inherits(value, "python.builtin.object")
    whole <- is.numeric(value) && length(value) > 0L && length(value) < 1e6 &&
      all(is.finite(value)) && all(value == trunc(value))
    list(
      class = class(value)[[1L]], type = if (python) "python" else typeof(value),
      length = if (python) 1L else length(value), dim = as.list(dim(value)), whole = whole,
      text = if (python) "" else substr(kit$one_line(deparse(value, nlines = 2L)), 1L, 80L)
    )
  }

  # The innermost frame that is a call of a Python object: its number, or 0.
  python_frame <- function(count) {
    for (number in rev(seq_len(count))) {
      home <- environment(sys.function(number))
      if (!is.environment(home) || identical(home, globalenv())) next
      if (exists("callable", home, inherits = FALSE)) return(number)
    }
    0L
  }

  # The values that a call of a Python object was given, in the order of its arguments.
  given <- function(frame, call) {
    values <- tryCatch(frame$call_args, error = function(e) NULL)
    if (!is.null(values)) {
      named <- values$named
      unnamed <- values$unnamed
      keys <- names(as.list(call)[-1L])
      if (is.null(keys)) keys <- rep("", length(call) - 1L)
      return(lapply(seq_along(keys), function(at) {
        if (nzchar(keys[[at]])) named[[keys[[at]]]] else unnamed[[sum(!nzchar(keys[seq_len(at)]))]]
      }))
    }
    tryCatch(eval(quote(list(...)), frame), error = function(e) list())
  }

  # Where a call is written: its row of the parse data, within some lines where it is there.
  find_call <- function(data, call, lines) {
    rows <- which(data$token == "expr")
    first <- paste(deparse(call[[1L]]), collapse = "")
    fits <- function(row) {
      text <- utils::getParseText(data, data$id[[row]])
      if (!startsWith(gsub("[[:space:]`]", "", text), gsub("[[:space:]`]", "", first))) return(FALSE)
      parsed <- tryCatch(parse(text = text, keep.source = FALSE), error = function(e) NULL)
      length(parsed) == 1L && identical(parsed[[1L]], call)
    }
    hits <- Filter(fits, rows)
    if (length(hits) == 0L) return(NULL)
    inside <- Filter(function(row) data$line1[[row]] %in% lines, hits)
    if (length(inside) > 0L) inside[[1L]] else hits[[length(hits)]]
  }

  # The arguments of a call as they are written: name, place and text of each.
  written <- function(data, row) {
    children <- data[data$parent == data$id[[row]] & data$token != "COMMENT", ]
    children <- children[order(children$line1, children$col1), ]
    arguments <- list()
    name <- ""
    for (at in seq_len(nrow(children))[-1L]) {
      child <- children[at, ]
      if (child$token %in% c("SYMBOL_SUB", "STR_CONST") && at < nrow(children) &&
          children$token[[at + 1L]] == "EQ_SUB") {
        name <- gsub("[`\"']", "", child$text)
      } else if (child$token == "expr") {
        arguments[[length(arguments) + 1L]] <- list(
          name = name, line = child$line1, column = child$col1,
          source = utils::getParseText(data, child$id)
        )
        name <- ""
      }
    }
    arguments
  }

  # All that is known of the call behind an error.
  blame <- function(data, lines, count) {
    number <- python_frame(count)
    python <- number > 0L
    if (!python) {
      # The innermost call that is written in the script.
      for (at in rev(seq_len(count))) {
        if (!is.null(find_call(data, sys.call(at), lines))) {
          number <- at
          break
        }
      }
    }
    if (number == 0L) return(NULL)
    call <- sys.call(number)
    row <- find_call(data, call, lines)
    if (is.null(row)) return(NULL)
    values <- if (python) given(sys.frame(number), call) else list()
    arguments <- written(data, row)
    for (at in seq_along(arguments)) {
      if (at <= length(values)) arguments[[at]] <- c(arguments[[at]], describe(values[[at]]))
    }
    list(
      name = kit$one_line(deparse(call[[1L]])), line = data$line1[[row]],
      column = data$col1[[row]], python = python, arguments = arguments,
      source = utils::getParseText(data, data$id[[row]])
    )
  }

  # What a piece of code is that is made of constants alone: NULL where it is not.
  constant <- function(text) {
    parsed <- tryCatch(parse(text = text, keep.source = FALSE), error = function(e) NULL)
    if (length(parsed) != 1L) return(NULL)
    if (!all(all.names(parsed[[1L]]) %in% c("c", "-", "+"))) return(NULL)
    describe(eval(parsed[[1L]], baseenv()))
  }

  # Calls that stand in the script down to a line, with those of their arguments that are
  # constants: what was wrong may have been made long before it was used.
  constants <- function(data, last) {
    found <- list()
    opens <- data[data$token == "'('" & data$line1 <= last, ]
    for (at in rev(seq_len(nrow(opens)))) {
      row <- which(data$id == opens$parent[[at]])
      if (length(row) != 1L || data$token[[row]] != "expr" || length(found) >= 200L) next
      head <- data[data$parent == data$id[[row]], ][1L, ]
      if (head$token != "expr" || head$id == opens$id[[at]]) next
      name <- utils::getParseText(data, head$id)
      if (name %in% c("c", "list", "library", "import", "function")) next
      arguments <- lapply(written(data, row), function(one) {
        what <- constant(one$source)
        if (is.null(what)) NULL else c(one, what)
      })
      arguments <- Filter(Negate(is.null), arguments)
      if (length(arguments) == 0L) next
      found[[length(found) + 1L]] <- list(
        name = kit$one_line(name), line = data$line1[[row]], column = data$col1[[row]],
        python = TRUE, arguments = arguments
      )
    }
    found
  }

  python_error <- function(condition) {
    if (!("reticulate" %in% loadedNamespaces()) || !reticulate::py_available()) return(NULL)
    last <- reticulate::py_last_error()
    if (is.null(last) || !grepl(last$type, conditionMessage(condition), fixed = TRUE)) return(NULL)
    text <- last$message
    if (!grepl("Traceback", text, fixed = TRUE)) {
      text <- c(last$traceback, paste0(last$type, ": ", last$value))
    }
    list(type = last$type, value = last$value, traceback = paste(text, collapse = "\n"))
  }

  # R's generics that a Python object has as a method, and that know nothing of it.
  say_generic <- function(code, line) {
    if (!is.call(code) || !is.name(code[[1L]]) || length(code) < 2L || !is.name(code[[2L]])) return()
    name <- as.character(code[[1L]])
    object <- get0(as.character(code[[2L]]), globalenv())
    if (!(name %in% c("summary", "predict", "plot", "fit", "compile", "evaluate", "save"))) return()
    if (!inherits(object, "python.builtin.object")) return()
    method <- Filter(Negate(is.null), lapply(class(object), function(class) {
      if (class == "python.builtin.object") NULL else utils::getS3method(name, class, TRUE)
    }))
    if (length(method) > 0L || !reticulate::py_has_attr(object, name)) return()
    kit$say("generic", name = name, object = as.character(code[[2L]]), line = line)
  }

  # --- The run -----------------------------------------------------------------------------------

  layers$start()
  kit$say("layer", name = "script", state = "begin", at = as.numeric(Sys.time()))
  parsed <- tryCatch(parse(file, keep.source = TRUE, encoding = "UTF-8"), error = identity)
  if (inherits(parsed, "error")) {
    layers$say_failure("script", parsed, NULL)
  }
  data <- utils::getParseData(parsed)
  places <- lapply(attr(parsed, "srcref"), function(place) place[c(1L, 3L)])
  attach(watched, name = "harness:watched", warn.conflicts = FALSE)
  failed <- NULL
  calls <- NULL
  where <- NULL
  on_error <- function(condition) {
    # An error that the script itself catches comes by here, too: only the last counts.
    count <- sys.nframe() - 1L
    calls <<- sys.calls()
    where <<- tryCatch(
      blame(data, seq(state$line, state$last), count), error = function(e) NULL
    )
  }
  for (at in seq_along(parsed)) {
    state$line <- places[[at]][[1L]]
    state$last <- places[[at]][[2L]]
    kit$say("statement", line = state$line, last = state$last)
    code <- parsed[[at]]
    failed <- tryCatch(
      withCallingHandlers(
        {
          seen <- withVisible(eval(code, globalenv()))
          if (seen$visible) print(seen$value)
          NULL
        },
        error = on_error
      ),
      error = identity
    )
    if (!is.null(failed)) break
    tryCatch(say_generic(code, state$line), error = function(e) NULL)
  }
  if ("reticulate" %in% loadedNamespaces()) {
    kit$say("facts", facts = list(
      "bridge.name" = "reticulate",
      "bridge.version" = utils::packageDescription("reticulate", fields = "Version")
    ))
    if (reticulate::py_available()) {
      config <- reticulate::py_config()
      kit$say("facts", facts = list(
        "python.executable" = config$python, "python.version" = as.character(config$version),
        "python.libpython" = unname(config$libpython),
        "numpy.version" = if (is.null(config$numpy)) NULL else as.character(config$numpy$version)
      ))
    }
  }
  if (!is.null(failed)) {
    others <- tryCatch(constants(data, state$last), error = function(e) list())
    kit$say("blame", line = state$line, last = state$last, call = where, others = others)
    layers$python_error <- python_error
    layers$say_failure("script", failed, calls)
  }
  kit$say("layer", name = "script", state = "ok", at = as.numeric(Sys.time()))
  layers$done()
})
