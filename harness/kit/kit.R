# What every R inside a cell shares: events, timing, conditions, data, files.
#
# Base R 4.0 to 4.6 alone. Load it into an environment of its own, so that it hides nothing:
#   kit <- new.env(); sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)
# The protocol is described in docs/reference/cell-protocol.md; the same things for Python are
# in harness_kit.py.

ROWS <- 640L
TRAIN_ROWS <- 512L
PIXELS <- 784L
CLASSES <- 10L
BATCH <- 32L
RATE <- 0.001
STEADY <- 100L
# Factors of the first operation, row by row; the oracle outside knows the product. Plain lists,
# not matrices: a bridge whose array conversion is broken must still get through `init`.
LEFT <- list(list(1, 2), list(3, 4))
RIGHT <- list(list(5, 6), list(7, 8))
# Characters of a traceback that are kept: the end, where the cause stands.
TEXT_LIMIT <- 16000L

# --- JSON -----------------------------------------------------------------------------------

# One string as JSON. Everything outside ASCII is escaped, so that no locale can change it.
json_string <- function(text) {
  if (is.na(text)) return("null")
  # Bytes that are not valid become <e9>: an error message must never be lost to its encoding.
  text <- iconv(enc2utf8(text), "UTF-8", "UTF-8", sub = "byte")
  codes <- utf8ToInt(text)
  if (length(codes) == 0L) return("\"\"")
  pieces <- character(length(codes))
  simple <- codes >= 32L & codes <= 126L
  pieces[simple] <- strsplit(intToUtf8(codes[simple]), "")[[1L]]
  pieces[codes == 34L] <- "\\\""
  pieces[codes == 92L] <- "\\\\"
  basic <- !simple & codes <= 65535L
  pieces[basic] <- sprintf("\\u%04x", codes[basic])
  beyond <- codes > 65535L
  rest <- codes[beyond] - 65536L
  pieces[beyond] <- sprintf("\\u%04x\\u%04x", 55296L + rest %/% 1024L, 56320L + rest %% 1024L)
  paste0("\"", paste(pieces, collapse = ""), "\"")
}

# One element of an atomic vector as JSON: NA is null, what JSON has no number for is a string.
json_scalar <- function(value) {
  if (is.character(value)) return(json_string(value))
  if (is.numeric(value) && is.nan(value)) return("\"NaN\"")
  if (is.na(value)) return("null")
  if (is.logical(value)) return(if (value) "true" else "false")
  if (is.integer(value)) return(sprintf("%d", value))
  if (is.numeric(value)) {
    if (is.infinite(value)) return(if (value > 0) "\"Inf\"" else "\"-Inf\"")
    return(sprintf("%.17g", value))
  }
  json_string(as.character(value))
}

# Any R value as JSON: a list or a vector with names is an object, a list without names an
# array, a vector of length one a scalar.
json <- function(value) {
  if (is.null(value)) return("null")
  if (is.factor(value)) value <- as.character(value)
  if (!is.list(value) && !is.atomic(value)) value <- paste(deparse(value), collapse = " ")
  keys <- names(value)
  if (is.atomic(value) && is.null(keys) && length(value) == 1L) return(json_scalar(value))
  items <- if (is.list(value)) {
    vapply(value, json, "", USE.NAMES = FALSE)
  } else {
    vapply(seq_along(value), function(at) json_scalar(value[[at]]), "")
  }
  if (is.null(keys)) return(paste0("[", paste(items, collapse = ", "), "]"))
  keys <- vapply(keys, json_string, "", USE.NAMES = FALSE)
  paste0("{", paste(keys, items, sep = ": ", collapse = ", "), "}")
}

# JSON text as R lists: an object is a list with names, an array one without. For the small
# files that another process writes; nothing is simplified, so that json() gives it back.
from_json <- function(text) {
  marks <- strsplit(enc2utf8(text), "")[[1L]]
  at <- 1L
  blank <- function() {
    while (at <= length(marks) && marks[[at]] %in% c(" ", "\t", "\n", "\r")) at <<- at + 1L
  }
  peek <- function() {
    blank()
    if (at > length(marks)) stop("JSON ends too early", call. = FALSE)
    marks[[at]]
  }
  take <- function(mark) {
    if (peek() != mark) stop("JSON has no ", mark, " at character ", at, call. = FALSE)
    at <<- at + 1L
  }
  unit <- function() {
    code <- strtoi(paste(marks[at + 1:4], collapse = ""), 16L)
    at <<- at + 5L
    code
  }
  escaped <- function() {
    mark <- marks[[at]]
    if (mark != "u") {
      at <<- at + 1L
      known <- c(n = "\n", t = "\t", r = "\r", b = "\b", f = "\f")
      return(if (mark %in% names(known)) known[[mark]] else mark)
    }
    code <- unit()
    if (code >= 55296L && code < 56320L) {
      at <<- at + 1L
      code <- 65536L + (code - 55296L) * 1024L + (unit() - 56320L)
    }
    intToUtf8(code)
  }
  string <- function() {
    take("\"")
    pieces <- character()
    repeat {
      # Not peek(): a blank inside a string is a part of it.
      if (at > length(marks)) stop("JSON ends inside a string", call. = FALSE)
      mark <- marks[[at]]
      at <<- at + 1L
      if (mark == "\"") return(paste(pieces, collapse = ""))
      pieces[[length(pieces) + 1L]] <- if (mark == "\\") escaped() else mark
    }
  }
  members <- function(open, close, named) {
    take(open)
    values <- list()
    keys <- character()
    while (peek() != close) {
      if (length(values) > 0L) take(",")
      if (named) {
        if (peek() != "\"") stop("JSON has no key at character ", at, call. = FALSE)
        keys[[length(keys) + 1L]] <- string()
        take(":")
      }
      # Not values[[n]] <- value(): that drops a NULL.
      values <- c(values, list(value()))
    }
    take(close)
    if (named) names(values) <- keys
    values
  }
  value <- function() {
    mark <- peek()
    if (mark == "{") return(members("{", "}", TRUE))
    if (mark == "[") return(members("[", "]", FALSE))
    if (mark == "\"") return(string())
    end <- at
    while (end <= length(marks) && grepl("[-+.0-9A-Za-z]", marks[[end]])) end <- end + 1L
    word <- paste(marks[seq_len(end - at) + at - 1L], collapse = "")
    at <<- end
    if (word == "null") return(NULL)
    if (word %in% c("true", "false")) return(word == "true")
    number <- suppressWarnings(as.numeric(word))
    if (is.na(number)) stop("JSON has no value at character ", at, call. = FALSE)
    number
  }
  result <- value()
  blank()
  if (at <= length(marks)) stop("JSON goes on after its end", call. = FALSE)
  result
}

# The text of a file; NULL where there is none.
read_text <- function(path) {
  if (!file.exists(path)) return(NULL)
  paste(readLines(path, warn = FALSE, encoding = "UTF-8"), collapse = "\n")
}

# The last `limit` characters of a text, whatever its encoding.
tail_of <- function(text, limit = TEXT_LIMIT) {
  text <- iconv(enc2utf8(paste(text, collapse = "\n")), "UTF-8", "UTF-8", sub = "byte")
  size <- nchar(text)
  substr(text, max(1L, size - limit + 1L), size)
}

# --- Events ---------------------------------------------------------------------------------

state <- new.env()
state$phase <- "start"
# What is to be slowed down on purpose: NULL, or a list with `factor` and `clocks` (see slowed()).
state$slow <- NULL

# Append one event; it is in the file when this returns. Opened anew each time, because Python
# appends to the same file.
say <- function(event, ...) {
  line <- json(c(list(event = event), list(...)))
  cat(line, "\n", file = Sys.getenv("HARNESS_EVENTS"), sep = "", append = TRUE)
}

# Say that a phase is entered, so that a crash or a hang is blamed on it.
phase <- function(name) {
  state$phase <- name
  say("phase", phase = name, at = as.numeric(Sys.time()))
}

# Processor time of this process so far, in seconds; a path whose work is done in other processes
# as well replaces it.
cpu_now <- function() sum(proc.time()[1:2])

# Evaluate `expr`, time it, and say so when it ends well; what failed is no measurement.
stage <- function(probe, name, expr, n = 1L) {
  value <- NULL
  took <- in_turn(name, timed(name, value <- expr))
  say("stage", probe = probe, name = name, wall_s = took[["wall"]], cpu_s = took[["cpu"]], n = n)
  invisible(value)
}

# Seconds on the clock on the wall, and of the processor, that evaluating `expr` takes.
timed <- function(name, expr) {
  cpu <- cpu_now()
  wall <- Sys.time()
  force(expr)
  slow_down(name, as.numeric(wall), cpu)
  wall <- as.numeric(difftime(Sys.time(), wall, units = "secs"))
  c(wall = max(wall, 0), cpu = cpu_now() - cpu)
}

# --- Taking turns ---------------------------------------------------------------------------

# A comparison runs two processes side by side, which do each stage together: whatever the machine
# does meanwhile hits both alike. The request says "1 bridge_load=cpu,noop=wall FOLDER" to one and
# "2 ..." to the other; a file in the folder says that one of them is ready, or done. Where the
# clock is that of the processor, which is one for both, they work at once, and the kernel gives
# each a few milliseconds by turns; on the wall the one would wait for the other, and so the first
# works before the second.
TURN_LIMIT_S <- 100
BATCHES <- 10L
state$turns <- NULL

turns_of <- function(text) {
  if (!nzchar(text)) return(NULL)
  # The folder comes last, because its name may have blanks.
  parts <- regmatches(text, regexec("^([12]) ([^ ]+) (.*)$", text))[[1L]]
  list(
    role = as.integer(parts[[2L]]), clocks = clocks_of(strsplit(parts[[3L]], ",")[[1L]]),
    folder = parts[[4L]]
  )
}

# The clocks by stage, of words like "noop=cpu".
clocks_of <- function(words) {
  clocks <- sub("^.*=", "", words)
  names(clocks) <- sub("=.*$", "", words)
  clocks
}

in_turns <- function(stage) stage %in% names(state$turns$clocks)
at_once <- function(stage) state$turns$clocks[[stage]] == "cpu"

# The file that says that process `role` is ready to do `name`, or done.
mark <- function(name, what, role) {
  file.path(state$turns$folder, paste(name, what, role, sep = "."))
}

# Evaluate `expr` when it is this process's turn, and return when the other has had its own, too.
in_turn <- function(name, expr, stage = name, swapped = FALSE) {
  if (!in_turns(stage)) return(expr)
  mine <- state$turns$role
  first <- at_once(stage) || (mine == 1L) != swapped
  file.create(mark(name, "ready", mine))
  wait_for_turn(mark(name, if (first) "ready" else "done", 3L - mine))
  value <- expr
  file.create(mark(name, "done", mine))
  if (first) wait_for_turn(mark(name, "done", 3L - mine))
  value
}

# The smaller of the numbers that the two processes have of `name`, so that both do as much.
agreed <- function(name, number) {
  mine <- mark(name, "count", state$turns$role)
  # Under its own name once it is written.
  writeLines(format(number, scientific = FALSE), paste0(mine, ".new"))
  file.rename(paste0(mine, ".new"), mine)
  other <- mark(name, "count", 3L - state$turns$role)
  wait_for_turn(other)
  min(number, as.integer(readLines(other)))
}

wait_for_turn <- function(file) {
  deadline <- Sys.time() + TURN_LIMIT_S
  while (!file.exists(file)) {
    if (Sys.time() > deadline) stop("the other process never came to ", basename(file))
    Sys.sleep(0.002)
  }
}

# What the request slows down, or NULL: "1.2 noop=cpu echo=wall" makes the stage `noop` take 1.2
# times its processor time, and `echo` 1.2 times its time on the clock on the wall.
slowed <- function(text) {
  if (!nzchar(text)) return(NULL)
  words <- strsplit(text, " ")[[1L]]
  list(factor = as.numeric(words[[1L]]), clocks = clocks_of(words[-1L]))
}

# Work without use until `clock()` says `until`. Between two looks it allocates nothing: garbage to
# collect would make R's heap grow, and what comes later faster.
spin <- function(clock, until) while (clock() < until) for (number in 1:5000) NULL

# Work without use until stage `name`, which began at those times, has taken what it is to take.
slow_down <- function(name, wall, cpu) {
  if (is.null(state$slow) || !(name %in% names(state$slow$clocks))) return(invisible())
  on_wall <- state$slow$clocks[[name]] == "wall"
  clock <- if (on_wall) function() as.numeric(Sys.time()) else cpu_now
  began <- if (on_wall) wall else cpu
  spin(clock, began + state$slow$factor * (clock() - began))
}

# Say how long R took to reach the driver's first line (Sys.time() and cpu_now() there).
say_process_start <- function(entered, cpu) {
  wall <- as.numeric(entered) - as.numeric(Sys.getenv("HARNESS_SPAWNED_AT"))
  slow <- slowed(request()$slow)
  if ("process_start" %in% names(slow$clocks)) {
    # As slow_down(), from the first line on: what was loaded since is no part of the start.
    began <- cpu_now()
    spin(cpu_now, began + (slow$factor - 1) * cpu)
    cpu <- cpu + cpu_now() - began
    wall <- wall + as.numeric(Sys.time()) - as.numeric(entered)
  }
  say("stage", probe = "init", name = "process_start", wall_s = max(wall, 0), cpu_s = cpu, n = 1L)
}

# The request, as a list of strings; a field that is not there is empty.
request <- function() {
  path <- file.path(dirname(Sys.getenv("HARNESS_REQUEST")), "request.dcf")
  fields <- as.list(read.dcf(path, all = FALSE)[1L, ])
  fields <- lapply(fields, function(field) if (is.na(field)) "" else field)
  wanted <- c(
    "backend", "backends", "plant", "slow", "turns", "call_seconds", "caller_ld_library_path",
    "cuda", "framework"
  )
  for (name in setdiff(wanted, names(fields))) fields[[name]] <- ""
  state$slow <- slowed(fields$slow)
  state$turns <- turns_of(fields$turns)
  if (nzchar(fields$call_seconds)) CALL_SECONDS <<- as.numeric(fields$call_seconds)
  fields
}

# --- Conditions -----------------------------------------------------------------------------

# What the path's driver knows of the Python error behind an R error: NULL, or a list with
# `type`, `message`, `headline` (the condition's message in one line), `innermost` and
# `traceback`. A bridge's driver replaces it.
state$python_error <- function(condition) NULL

# What the bridge threw away when it signalled `condition`: NULL or a text. A bridge's driver
# replaces it.
state$hidden <- function(condition) NULL

# Stop with a condition that attempt() reports as the status `unsupported` or `unavailable`.
refuse <- function(status, message) {
  stop(structure(
    list(message = message, call = NULL, status = status),
    class = c("harness_refusal", "error", "condition")
  ))
}

# Whether a condition says that Python, or the process that holds it, has ended in the middle: that
# ends the whole probe, wherever in it it happens. A path with a process of its own signals it, as a
# refusal that says "crash" or of the class ProcessEnded.
is_the_end <- function(condition) {
  inherits(condition, "ProcessEnded") ||
    (inherits(condition, "harness_refusal") && condition$status == "crash")
}

# Refuse what needs a framework in a cell that names none.
need_framework <- function(asked) {
  if (!nzchar(asked$framework)) refuse("unsupported", "the cell names no framework")
}

# Whether `init`, which ended as `ended`, got so far that `probe` can be tried: the small calls
# need Python alone, training the framework as well.
can_be_tried <- function(probe, ended) {
  if (ended$status == "pass") return(TRUE)
  if (probe %in% c("call", "callback", "convert", "error", "transfer", "upstream")) {
    return(!(ended$phase %in% c("start", "bridge", "python")))
  }
  ended$phase == "op"
}

# The calls on the stack, outermost first, one short line each, without those of the machinery
# that catches conditions.
lines_of_calls <- function(calls) {
  lines <- vapply(calls, function(call) substr(deparse(call, nlines = 1L)[[1L]], 1L, 200L), "")
  machinery <- paste0(
    "^(tryCatch|tryCatchList|tryCatchOne|doTryCatch|withCallingHandlers|\\.handleSimpleError|",
    "h|in_turn|timed|force)\\(|^\\(function \\(condition\\)|^kit\\$attempt"
  )
  lines <- lines[!grepl(machinery, lines)]
  paste(utils::tail(lines, 40L), collapse = "\n")
}

# A text in one line.
one_line <- function(text) trimws(gsub("[[:space:]]+", " ", paste(text, collapse = " ")))

# Evaluate `expr`, which gives the details of `probe`; return `status`, `phase`, `message` and
# `details`. What stops it is said as an `error` event, with R's calls at the point where it was
# signalled and, below them, Python's tracebacks. Where `expr` is a `part` of the probe, the end of
# Python is not the part's own, and goes on to who attempts the whole.
attempt <- function(probe, expr, part = FALSE) {
  calls <- NULL
  tryCatch(
    withCallingHandlers(
      {
        details <- expr
        list(status = "pass", phase = state$phase, message = NULL, details = details)
      },
      error = function(condition) calls <<- sys.calls()
    ),
    error = function(condition) {
      if (part && is_the_end(condition)) stop(condition)
      failed(probe, condition, calls)
    }
  )
}

# What attempt() returns for an error.
failed <- function(probe, condition, calls) {
  end <- function(status, message) {
    list(status = status, phase = state$phase, message = message, details = nothing())
  }
  if (inherits(condition, "harness_refusal")) {
    return(end(condition$status, conditionMessage(condition)))
  }
  # A look at what lies behind must not itself put an end to the driver.
  python <- tryCatch(state$python_error(condition), error = function(e) NULL)
  hidden <- tryCatch(state$hidden(condition), error = function(e) NULL)
  refusals <- c(Unsupported = "unsupported", Unavailable = "unavailable")
  if (!is.null(python) && python$type %in% names(refusals)) {
    return(end(refusals[[python$type]], python$message))
  }
  headline <- if (is.null(python)) conditionMessage(condition) else python$headline
  headline <- sub(":$", "", one_line(headline))
  innermost <- if (is.null(python)) headline else python$innermost
  if (!is.null(hidden)) innermost <- last_line(hidden)
  say(
    "error", probe = probe, phase = state$phase, class = class(condition)[[1L]],
    message = headline, innermost = innermost,
    traceback = tail_of(c(lines_of_calls(calls), python$traceback)), hidden = hidden
  )
  known <- grepl(innermost, headline, fixed = TRUE)
  end("fail", if (known) headline else paste0(headline, " (caused by ", innermost, ")"))
}

# The last line of a text that says something.
last_line <- function(text) {
  # Whatever its bytes: in what is not valid here, strsplit() and nchar() see NA or stop.
  lines <- strsplit(tail_of(text), "\n", fixed = TRUE)[[1L]]
  lines <- lines[nzchar(trimws(lines))]
  if (length(lines) == 0L) "" else trimws(lines[[length(lines)]])
}

# An empty object, which json() must not write as an array.
nothing <- function() structure(list(), names = character())

# Say how probe `name` ended, in the driver's own view.
say_probe <- function(name, ended) {
  details <- if (length(ended$details) == 0L) nothing() else ended$details
  say(
    "probe", name = name, status = ended$status, phase = ended$phase, message = ended$message,
    details = details
  )
}

# --- Identity -------------------------------------------------------------------------------

# Say which R this is.
say_identity_of_r <- function() {
  version <- paste(R.version$major, R.version$minor, sep = ".")
  say("identity", identity = list(r = list(version = version, home = R.home())))
}

# Say which bridge is loaded, by the package's own metadata, and from where.
say_identity_of_bridge <- function(package) {
  version <- utils::packageDescription(package, fields = "Version")
  bridge <- list(name = package, version = version, home = getNamespaceInfo(package, "path"))
  say("identity", identity = list(bridge = bridge))
}

# The probe `convert` (see convert/convert.R), in an environment of its own.
load_convert <- function() {
  convert <- new.env()
  convert$child <- new.env()
  convert$kit <- convert$child$kit <- environment(load_convert)
  folder <- Sys.getenv("HARNESS_KIT")
  sys.source(file.path(folder, "child.R"), envir = convert$child)
  sys.source(file.path(folder, "convert", "convert.R"), envir = convert)
  convert
}

# --- The probes `call`, `callback` and `error` ----------------------------------------------

# What a path needs for these probes are functions of R that go over its bridge into the
# functions of the same names in harness_kit.py; what is asked, timed and told of them is the
# same for every path on which R is the host. A path that cannot do a part of it calls
# refuse("unsupported", reason) there.

# Repetitions of a small call: as many as take so many seconds, by a trial that is long enough for
# the clock (that of processor time has ticks of a millisecond); at most this many, and at least so
# many whatever they take.
MOST_CALLS <- 500000L
MOST_ERRORS <- 2000L
FEWEST_CALLS <- 5L
CALL_SECONDS <- 0.5
TRIAL_SECONDS <- 0.02
# What takes this long is not tried again.
LONG_SECONDS <- 0.5
CALLBACKS <- 4L
# With letters that no locale but UTF-8 has, and both kinds of quotes.
PLANTED <- "planted: na\u00efve 'q\"uote'"
PLANTED_IN_R <- "planted in R"

# The values that `echo` must give back unharmed, by the names of the protocol.
echoed_values <- function() {
  list(
    double = 0.1 + 0.2, integer = 42L, logical = TRUE, string = "na\u00efve 'q\"uote'",
    doubles = c(1 / 3, 2 / 3, 1e300), huge = 123456789.123456789, empty = ""
  )
}

# Seconds that evaluating `expr` takes.
seconds_of <- function(expr) {
  begin <- Sys.time()
  force(expr)
  max(as.numeric(difftime(Sys.time(), begin, units = "secs")), 0)
}

# How often something is repeated that takes so many `seconds` once.
repetitions <- function(seconds, most) {
  as.integer(max(FEWEST_CALLS, min(most, floor(CALL_SECONDS / max(seconds, 1e-9)))))
}

# Seconds that `work(n)`, which does something n times, takes for each; `seconds` is what one
# took. The trial grows until the clock can tell, and is made twice: one may have been disturbed.
seconds_of_each <- function(work, most, seconds = seconds_of(work(1L))) {
  count <- 1L
  while (seconds < TRIAL_SECONDS && count < most) {
    count <- min(count * 4L, most)
    seconds <- seconds_of(work(count))
  }
  if (seconds < LONG_SECONDS) seconds <- min(seconds, seconds_of(work(count)))
  seconds / count
}

# Time `work()` as a stage, repeated as often as it may; `seconds` is what it took once.
repeated <- function(probe, name, work, most, seconds = seconds_of(work())) {
  several <- function(n) for (number in seq_len(n)) work()
  count <- repetitions(seconds_of_each(several, most, seconds), most)
  if (in_turns(name)) count <- agreed(name, count)
  if (!in_turns(name) || at_once(name)) {
    return(stage(probe, name, n = count, for (number in seq_len(count)) work()))
  }
  # In batches that alternate with the other process's: mine, its, its, mine, ...
  each <- as.integer(max(1L, count %/% BATCHES))
  parts <- lapply(seq_len(BATCHES), function(batch) {
    in_turn(
      paste0(name, batch), timed(name, for (number in seq_len(each)) work()),
      stage = name, swapped = batch %% 2L == 0L
    )
  })
  took <- Reduce(`+`, parts)
  say(
    "stage", probe = probe, name = name, wall_s = took[["wall"]], cpu_s = took[["cpu"]],
    n = each * BATCHES, parts = lapply(parts, unname)
  )
}

# The probe `call`: `noop()` returns nothing, `echo(value)` its argument, both from Python.
# Returns the details. `most` is for a path whose every call takes long.
call_probe <- function(noop, echo, most = MOST_CALLS) {
  phase("op")
  first <- NULL
  took <- seconds_of(stage("call", "first_call", first <- noop()))
  # What comes first may load something: only where it is slow does it stand for the others.
  if (took < 0.1) took <- seconds_of(noop())
  repeated("call", "noop", noop, most, took)
  values <- lapply(echoed_values(), function(sent) {
    ended <- attempt("call", echo(sent), part = TRUE)
    got <- switch(
      ended$status,
      pass = ended$details, unsupported = list(unsupported = ended$message),
      list(error = ended$message)
    )
    list(sent, got)
  })
  one <- values$double[[1L]]
  # An object stands for what did not come back: there is no call to time.
  if (is.null(names(values$double[[2L]]))) {
    repeated("call", "echo", function() echo(one), most, took)
  }
  list(noop = first, echo = values)
}

# A function for Python to call, and what it was called with: `heard(epoch, loss)` keeps its
# arguments and returns ten times the epoch; `calls()` gives them.
listener <- function() {
  calls <- list()
  list(
    heard = function(epoch, loss) {
      calls[[length(calls) + 1L]] <<- list(epoch, loss)
      epoch * 10
    },
    calls = function() calls
  )
}

# The probe `callback`: `call_back(heard, epochs)` has Python's call_back() call the R function
# `heard`, and returns what that returns. `in_keras(heard, epochs)`, where the cell has Keras, has
# Python's keras_call_back() do so from a training. Returns the details.
callback_probe <- function(call_back, in_keras = NULL) {
  phase("callback")
  ears <- listener()
  result <- NULL
  stage("callback", "callback", n = CALLBACKS, result <- call_back(ears$heard, CALLBACKS))
  details <- list(calls = ears$calls(), result = result)
  # One call into Python, and from there as many back as it is told.
  light <- function(epoch, loss) epoch
  count <- repetitions(seconds_of_each(function(n) call_back(light, n), MOST_CALLS), MOST_CALLS)
  stage("callback", "steady_callback", n = count, call_back(light, count))
  if (is.null(in_keras)) return(details)
  ears <- listener()
  stage("callback", "keras_fit", n = CALLBACKS, in_keras(ears$heard, CALLBACKS))
  details$keras_calls <- ears$calls()
  details
}

# What R sees of an error that came out of Python: `class`, `message` and `traceback`; the first
# and the last as far as the bridge's driver knows them (state$python_error).
seen_of_error <- function(condition) {
  python <- tryCatch(state$python_error(condition), error = function(e) NULL)
  list(
    raised = TRUE,
    class = if (is.null(python)) class(condition)[[1L]] else python$type,
    message = conditionMessage(condition),
    traceback = if (is.null(python)) NULL else tail_of(python$traceback)
  )
}

# The probe `error`: `raise_error(text)` goes into Python's function of that name;
# `call_failing(f)` has Python's call_failing() call the R function `f`, and returns the object
# that that returns. `seen` says what R sees of an error. Returns the details. `most` is for a
# path whose every call takes long.
error_probe <- function(raise_error, call_failing, seen = seen_of_error, most = MOST_ERRORS) {
  phase("error")
  # Not inside tryCatch(): an error in here would be taken for Python's.
  caught <- NULL
  took <- seconds_of(stage(
    "error", "first_error", tryCatch(raise_error(PLANTED), error = function(e) caught <<- e)
  ))
  if (inherits(caught, "harness_refusal") || is_the_end(caught)) stop(caught)
  python_to_r <- if (is.null(caught)) {
    list(raised = FALSE, class = NULL, message = NULL, traceback = NULL)
  } else {
    seen(caught)
  }
  again <- function() tryCatch(raise_error(PLANTED), error = function(e) if (is_the_end(e)) stop(e))
  repeated("error", "error", again, most, took)
  fails <- function(...) stop(PLANTED_IN_R, call. = FALSE)
  ended <- attempt("error", call_failing(fails), part = TRUE)
  r_to_python <- switch(
    ended$status,
    pass = ended$details, unsupported = list(unsupported = ended$message),
    # The error went through Python without Python being told.
    list(raised = FALSE, class = NULL, message = ended$message)
  )
  list(python_to_r = python_to_r, r_to_python = r_to_python)
}

# --- Data -----------------------------------------------------------------------------------

# The pixels (640 by 784, doubles from 0 to 1) and the labels (integers from 0 to 9).
make_data <- function() {
  i <- seq_len(ROWS) - 1
  j <- seq_len(PIXELS) - 1
  y <- i %% CLASSES
  noise <- (outer(i * 7919, j * 104729, "+") + outer(i, j) %% 9973 * 31) %% 256
  proto <- 255 * (outer(y * 101, j * 37, "+") %% 10 < 3)
  list(x = ((proto * 3 + noise) %/% 4) / 255, y = as.integer(y))
}

# Pixels and labels to train on, and those held back. The labels are arrays of one dimension:
# reticulate turns a plain vector into a Python list.
split_data <- function(data) {
  train <- seq_len(TRAIN_ROWS)
  list(
    x_train = data$x[train, ], y_train = array(data$y[train]),
    x_test = data$x[-train, ], y_test = array(data$y[-train])
  )
}

# MD5 of values written as the protocol says.
md5_of <- function(values, size) {
  path <- tempfile("harness-hash-")
  on.exit(unlink(path))
  writeBin(values, path, size = size, endian = "little")
  unname(tools::md5sum(path))
}

# MD5 of a matrix as little-endian doubles, row by row.
hash_pixels <- function(x) md5_of(as.double(t(x)), 8L)

# MD5 of labels as little-endian 32-bit integers.
hash_labels <- function(y) md5_of(as.integer(y), 4L)

# --- Arrays in files ------------------------------------------------------------------------

MAGIC <- charToRaw("HKARRAY1")

# Write an array for Python's read_array: eight bytes of name, then as little-endian 32-bit
# integers the kind (1 double, 2 integer), the rank and the extents, then the values by columns.
write_array <- function(path, values) {
  extent <- if (is.null(dim(values))) length(values) else dim(values)
  connection <- file(path, "wb")
  on.exit(close(connection))
  writeBin(MAGIC, connection)
  kind <- if (is.integer(values)) 2L else 1L
  writeBin(c(kind, length(extent), extent), connection, size = 4L, endian = "little")
  size <- if (kind == 2L) 4L else 8L
  writeBin(as.vector(values), connection, size = size, endian = "little")
}

# Read an array that Python's write_array wrote.
read_array <- function(path) {
  connection <- file(path, "rb")
  on.exit(close(connection))
  if (!identical(readBin(connection, "raw", 8L), MAGIC)) {
    stop(path, " does not begin with HKARRAY1", call. = FALSE)
  }
  number <- function(n) readBin(connection, "integer", n, size = 4L, endian = "little")
  kind <- number(1L)
  extent <- number(number(1L))
  what <- if (kind == 2L) "integer" else "double"
  size <- if (kind == 2L) 4L else 8L
  values <- readBin(connection, what, prod(extent), size = size, endian = "little")
  if (length(values) != prod(extent)) stop(path, " is cut short", call. = FALSE)
  array(values, extent)
}
