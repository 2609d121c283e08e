# rpython: R holds Python in its own process by rPython, loads worker.py, and calls its functions.

entered <- Sys.time()
entered_cpu <- sum(proc.time()[1:2])

kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)

# Call a function of worker.py: what R sends and gets becomes JSON text on the way.
ask <- function(name, ...) python.call(name, ...)

# What the worker remembers of the exception behind an R error; rPython brings its text alone.
python_error <- function(condition) {
  if (!loaded) return(NULL)
  last <- kit$from_json(ask("last_error"))
  if (is.null(last$type) || !identical(last$message, conditionMessage(condition))) return(NULL)
  last
}
loaded <- FALSE
kit$state$python_error <- python_error

kit$say_process_start(entered, entered_cpu)
kit$phase("start")
asked <- kit$request()
probes <- strsplit(asked$probes, ",")[[1L]]
kit$say_identity_of_r()

# Loading the package starts Python. With the remedies libpython is there already, with its
# symbols for all to see: the package would look for it by a name that is often wrong, and C
# extensions find it in no other way.
load_bridge <- function() {
  libpython <- Sys.getenv("RPYTHON_LIBPYTHON")
  if (nzchar(libpython)) dyn.load(libpython, local = FALSE)
  suppressPackageStartupMessages(library(rPython))
}

# Load the worker into Python's __main__.
load_worker <- function() {
  python.load(file.path(Sys.getenv("HARNESS_PATH_FILES"), "worker.py"))
  # A mistake in that file would be printed, and R would not be told.
  ask("loaded")
  loaded <<- TRUE
  ask("begin")
}

# The probe `init`.
init <- function() {
  kit$phase("bridge")
  kit$stage("init", "bridge_load", load_bridge())
  kit$say_identity_of_bridge("rPython")
  kit$phase("python")
  kit$stage("init", "python_start", load_worker())
  kit$stage("init", "identity", ask("identity"))
  if (!nzchar(asked$framework)) return(kit$nothing())
  kit$phase("import")
  kit$stage("init", "framework_import", ask("import_framework"))
  ask("identity_of_modules")
  kit$phase("device")
  kit$stage("init", "device", missing <- ask("device"))
  if (!is.null(missing)) kit$refuse("unavailable", missing)
  kit$phase("op")
  kit$stage("init", "first_op", {
    ask("first_op", kit$LEFT, kit$RIGHT)
    values <- ask("values")
  })
  kit$stage("init", "steady_op", n = kit$STEADY, {
    for (number in seq_len(kit$STEADY)) ask("first_op", kit$LEFT, kit$RIGHT)
  })
  list(values = as.list(values), device = ask("device_of"))
}

# The probe `train`: the data are made here, and cross into Python as whole numbers, because
# doubles do not arrive as they were sent.
train <- function() {
  kit$need_framework(asked)
  kit$phase("convert")
  look_at_digits()
  kit$stage("train", "make_data", {
    data <- kit$make_data()
    parts <- kit$split_data(data)
  })
  kit$stage("train", "transfer", for (name in names(parts)) {
    part <- parts[[name]]
    if (is.matrix(part)) part <- matrix(as.integer(round(part * 255)), nrow(part))
    ask("receive", name, if (is.matrix(part)) part else as.integer(part))
  })
  arrived <- ask("hashes")
  details <- ask("train")
  kit$phase("train")
  kit$stage("train", "collect", {
    chances <- do.call(rbind, lapply(details[["chances"]], as.numeric))
    accuracy <- mean(max.col(chances) - 1L == parts$y_test)
  })
  list(
    losses = as.list(details[["losses"]]), accuracy = accuracy, device = details[["device"]],
    x_sha = list(made = kit$hash_pixels(data$x), arrived = arrived[["x"]]),
    y_sha = list(made = kit$hash_labels(data$y), arrived = arrived[["y"]])
  )
}

# --- What rPython does without a word ---------------------------------------------------------

# Look how many digits of a double get into Python, and say it where some are lost.
look_at_digits <- function() {
  sent <- 0.1 + 0.2
  got <- ask("echo", sent)
  if (identical(got, sent)) return(invisible())
  before <- options(digits = 17)
  whole <- tryCatch(identical(ask("echo", sent), sent), finally = options(before))
  way_out <- if (whole) "; options(digits = 17) carries them whole" else ""
  kit$say("finding", id = "rpython-digits-lost", text = sprintf(
    paste0(
      "doubles are cut to %d digits on their way into Python: 0.1+0.2 was sent as %.17g and ",
      "arrived as %s%s"
    ),
    getOption("digits"), sent, format(got, digits = 15), way_out
  ))
}

# Look whether letters outside ASCII, and those outside Latin-1, come back; say it where they do
# not. They get into Python, as the message of an exception shows: it is R that cannot read them.
look_at_letters <- function() {
  sent <- c("\u00ef", "\u20ac", "\u4e2d")
  got <- vapply(sent, function(letter) {
    tryCatch(as.character(ask("echo", letter)), error = conditionMessage)
  }, "")
  wrong <- got != sent
  if (!any(wrong)) return(invisible())
  pairs <- paste(sent[wrong], "as", vapply(got[wrong], kit$json, ""), collapse = ", ")
  kit$say("finding", id = "rpython-text-mangled", text = paste(
    "text outside ASCII is mangled on its way back into R:", pairs
  ))
}

# Evaluate `expr`, in which Python raises something: whether R was told, and what it got instead.
told <- function(expr) {
  tryCatch(
    list(raised = FALSE, got = expr),
    error = function(condition) list(raised = TRUE, message = conditionMessage(condition))
  )
}

# Errors of Python that rPython might keep to itself, each with what R saw of it, and what is
# said where it saw nothing.
look_at_silence <- function() {
  ask("echo", 4711L)
  seen <- list(
    syntax_error = told(python.exec("no python (")),
    missing_name = told(python.get("never_assigned")),
    no_json = told(ask("without_json"))
  )
  words <- c(
    syntax_error = "python.exec() of code with a SyntaxError returned as if nothing had happened",
    missing_name = "python.get() of a name that does not exist returned %s, the value read before",
    no_json = "a function whose result JSON has no form for returned %s, the value read before"
  )
  ids <- c(
    syntax_error = "rpython-syntax-error-swallowed", missing_name = "rpython-stale-read",
    no_json = "rpython-stale-read"
  )
  silent <- names(seen)[!vapply(seen, function(one) one$raised, NA)]
  texts <- vapply(silent, function(name) {
    gsub("%s", kit$json(seen[[name]]$got), words[[name]], fixed = TRUE)
  }, "")
  for (name in silent) kit$say("finding", id = ids[[name]], text = texts[[name]])
  list(seen = seen, silent = texts)
}

# --- The small probes -------------------------------------------------------------------------

# The probe `call`.
do_call <- function() {
  details <- kit$call_probe(function() ask("noop"), function(value) ask("echo", value))
  kit$phase("convert")
  look_at_digits()
  look_at_letters()
  kit$phase("op")
  details
}

# What R sees of an exception, with rPython alone: its text.
seen_of_error <- function(condition) {
  list(
    raised = TRUE, class = class(condition)[[1L]], message = conditionMessage(condition),
    traceback = NULL
  )
}

# The probe `transfer`: JSON text, which Python makes arrays of, and R vectors.
do_transfer <- function() {
  transfer <- new.env()
  transfer$kit <- kit
  sys.source(file.path(Sys.getenv("HARNESS_KIT"), "transfer.R"), envir = transfer)
  # A list of numbers is a vector of them already; that of a data frame is not one.
  as_values <- function(kind, got) {
    if (kind != "frame") return(unlist(got))
    as.data.frame(lapply(as.list(got), unlist), stringsAsFactors = FALSE)
  }
  transfer$transfer_probe(list(
    why_not = function(kind) ask("transfer_why_not", kind),
    prepare = function(kind, values) values,
    put = function(kind, values) {
      if (kind == "frame") {
        # A column of one value would arrive as that value.
        values <- if (nrow(values) == 1L) lapply(values, as.list) else as.list(values)
      }
      ask("transfer_hold", kind, values)
    },
    get = function(kind) as_values(kind, ask("transfer_give", kind)),
    hash = function(kind) ask("transfer_hash", kind)
  ))
}

# The probe `convert`.
do_convert <- function() {
  convert <- kit$load_convert()
  convert$convert_probe(asked, function(name, ...) ask(paste0("convert_", name), ...))
}

# The probe `error`.
do_error <- function() {
  details <- kit$error_probe(
    function(text) ask("raise_error", text),
    function(fails) {
      kit$refuse("unsupported", "rPython cannot call back, so that no error of R is Python's")
    },
    seen_of_error
  )
  details$silence <- look_at_silence()
  details
}

# An exception that is reported is not enough: one that is not makes the probe fail.
with_silence <- function(ended) {
  silent <- ended$details$silence$silent
  if (ended$status == "pass" && length(silent) > 0L) {
    ended$status <- "fail"
    ended$message <- paste(silent, collapse = "; ")
  }
  ended$details$silence <- ended$details$silence$seen
  ended
}

ended <- kit$attempt("init", init())
if ("init" %in% probes) kit$say_probe("init", ended)
work_of <- list(
  call = do_call, convert = do_convert, error = do_error, transfer = do_transfer, train = train
)
for (probe in intersect(probes, names(work_of))) {
  own <- ended
  if (kit$can_be_tried(probe, ended)) {
    own <- kit$attempt(probe, work_of[[probe]]())
    if (probe == "error") own <- with_silence(own)
  }
  kit$say_probe(probe, own)
}
kit$phase("teardown")
kit$say("done")
