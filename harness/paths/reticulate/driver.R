# reticulate: R holds Python in its own process, and drives the framework from R.

entered <- Sys.time()
entered_cpu <- sum(proc.time()[1:2])

kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)

# The Python error behind an R error, from reticulate's own memory of it.
python_error <- function(condition) {
  if (!("reticulate" %in% loadedNamespaces()) || !reticulate::py_available()) return(NULL)
  last <- reticulate::py_last_error()
  # It remembers errors long past: only one that the condition quotes lies behind it.
  if (is.null(last) || !grepl(last$type, conditionMessage(condition), fixed = TRUE)) return(NULL)
  text <- last$message
  if (!grepl("Traceback", text, fixed = TRUE)) {
    text <- c(last$traceback, paste0(last$type, ": ", last$value))
  }
  text <- paste(text, collapse = "\n")
  # Python prints the first cause of a chain first.
  chain <- "\n(The above exception was the direct|During handling of the above exception)"
  first <- strsplit(text, chain)[[1L]][[1L]]
  # What reticulate adds below a traceback is not a part of it.
  first <- sub("\nRun `reticulate::py_last_error.*$", "", first)
  # Nor is its advice in the headline, or the traceback that its older versions put there.
  advice <- "[[:space:]]*(Run `reticulate::py_last_error|Detailed traceback:).*$"
  headline <- sub(advice, "", conditionMessage(condition))
  list(
    type = last$type, message = last$value, headline = headline, traceback = text,
    innermost = kit$last_line(first)
  )
}

# reticulate asks a Python for its configuration in a child, whose standard error it throws away
# ("Error 1 occurred running ..."): ask again, with it kept.
hidden_error <- function(condition) {
  if (!grepl("occurred running", conditionMessage(condition), fixed = TRUE)) return(NULL)
  script <- system.file("config", "config.py", package = "reticulate")
  kept <- file.path(Sys.getenv("HARNESS_CELL"), "bridge-config.stderr")
  suppressWarnings(system2(asked$python, shQuote(script), stdout = FALSE, stderr = kept))
  text <- kit$read_text(kept)
  if (is.null(text) || !nzchar(text)) NULL else kit$tail_of(text)
}

kit$state$python_error <- python_error
kit$state$hidden <- hidden_error

kit$say_process_start(entered, entered_cpu)
kit$phase("start")
asked <- kit$request()
probes <- strsplit(asked$probes, ",")[[1L]]
kit$say_identity_of_r()
# Keras reads its backend once, when it is imported, from what Python saw when it started.
if (nzchar(asked$backend)) Sys.setenv(KERAS_BACKEND = asked$backend)
# Newer versions of reticulate would make an environment of their own, from the network.
Sys.setenv(RETICULATE_USE_MANAGED_VENV = "no", RETICULATE_AUTOCONFIGURE = "0")

# The framework's own file defines import_framework(), first_op() and train().
work <- new.env()
if (nzchar(asked$framework)) {
  sys.source(
    file.path(Sys.getenv("HARNESS_PATH_FILES"), paste0(asked$framework, ".R")), envir = work
  )
}
work$kit <- kit

# Start Python as a user does.
start_python <- function() {
  use_python(asked$python, required = TRUE)
  py_run_string("import sys")
}

# The Python half of the kit, in this process's Python.
load_python_kit <- function() {
  folder <- Sys.getenv("HARNESS_KIT")
  py_run_string("import sys, os; sys.path.insert(0, os.environ['HARNESS_KIT'])")
  kit$py <- import("harness_kit")
  kit$py$prepare(asked)
}

# The probe `init`; sets `device` for what comes after.
init <- function() {
  kit$phase("bridge")
  kit$stage("init", "bridge_load", library(reticulate))
  kit$say_identity_of_bridge("reticulate")
  kit$phase("python")
  kit$stage("init", "python_start", start_python())
  load_python_kit()
  kit$stage("init", "identity", kit$py$say_identity_of_python())
  if (!nzchar(asked$framework)) return(kit$nothing())
  kit$phase("import")
  tryCatch(
    kit$stage("init", "framework_import", work$import_framework()),
    # Of an import that failed half-way, too: numpy's version is often the reason.
    finally = try(kit$py$say_identity_of_modules(), silent = TRUE)
  )
  kit$phase("device")
  kit$stage("init", "device", device <<- kit$py$framework(asked$framework)$device(asked$cuda))
  kit$say("identity", identity = list(device = device))
  if (!is.null(device$missing)) kit$refuse("unavailable", device$missing)
  kit$phase("op")
  kit$stage("init", "first_op", {
    result <- work$first_op(device$actual)
    values <- kit$py$planted(asked$plant, kit$py$values_of(result))
  })
  kit$stage("init", "steady_op", n = kit$STEADY, {
    for (number in seq_len(kit$STEADY)) result <- work$first_op(device$actual)
    kit$py$values_of(result)
  })
  where <- kit$py$framework(asked$framework)$device_of(result)
  list(values = as.list(values), device = where)
}
device <- NULL

# The probe `call`, as a user calls a function of a module.
do_call <- function() kit$call_probe(function() kit$py$noop(), function(value) kit$py$echo(value))

# The probe `callback`: reticulate hands an R function to Python as a callable.
do_callback <- function() {
  kit$callback_probe(
    function(heard, epochs) kit$py$call_back(heard, epochs),
    if (asked$framework == "keras") {
      function(heard, epochs) kit$py$keras_call_back(heard, epochs)
    }
  )
}

# The probe `error`.
do_error <- function() {
  kit$error_probe(
    function(text) kit$py$raise_error(text), function(fails) kit$py$call_failing(fails)
  )
}

# The probe `transfer`: arrays, as reticulate's documentation has it: a vector without extents
# would become a list.
do_transfer <- function() {
  transfer <- new.env()
  transfer$kit <- kit
  sys.source(file.path(Sys.getenv("HARNESS_KIT"), "transfer.R"), envir = transfer)
  python <- import("harness_transfer")
  transfer$transfer_probe(list(
    why_not = function(kind) python$why_not(kind),
    prepare = function(kind, values) if (is.numeric(values)) array(values) else values,
    put = function(kind, values) python$hold(kind, values),
    get = function(kind) python$give(kind),
    hash = function(kind) python$held_hash(kind),
    address = function(kind) python$address(kind)
  ))
}

# The probe `convert`, by functions of a module, as in `call`.
do_convert <- function() {
  convert <- kit$load_convert()
  kit$py$load_convert()
  python <- import("harness_convert")
  convert$convert_probe(asked, function(name, ...) python[[name]](...))
}

# The documented examples of this path, as they are written and as corrected.
do_seed <- function() {
  examples <- new.env()
  sys.source(file.path(Sys.getenv("HARNESS_KIT"), "seed", "seed.R"), envir = examples)
  examples$seed_probe(kit, asked)
}

# The probe `upstream`: reticulate's own tests, in an R of their own.
do_upstream <- function() {
  kit$phase("op")
  source <- Sys.getenv("HARNESS_BRIDGE_SOURCE")
  if (!dir.exists(file.path(source, "tests", "testthat"))) {
    kit$refuse("unavailable", paste("there are no tests in", source))
  }
  # A copy: tests write beside themselves, and the source is read-only.
  here <- file.path(Sys.getenv("HARNESS_CELL"), "upstream")
  dir.create(here)
  file.copy(file.path(source, "tests", "testthat"), here, recursive = TRUE)
  counts <- file.path(here, "counts.json")
  under_way <- file.path(here, "under-way")
  Sys.setenv(RETICULATE_PYTHON = asked$python)
  on.exit(Sys.unsetenv("RETICULATE_PYTHON"))
  arguments <- c(
    "--no-init-file", file.path(Sys.getenv("HARNESS_PATH_FILES"), "upstream.R"),
    file.path(here, "testthat"), counts, under_way
  )
  child <- new.env()
  child$kit <- kit
  sys.source(file.path(Sys.getenv("HARNESS_KIT"), "child.R"), envir = child)
  status <- kit$stage(
    "upstream", "tests", child$run(file.path(R.home("bin"), "Rscript"), arguments)
  )
  if (!file.exists(counts)) {
    begun <- kit$read_text(under_way)
    if (is.null(begun)) begun <- "none"
    kit$refuse(if (status >= 128L) "crash" else "fail", sprintf(
      "reticulate's tests ended with status %d and without a result; the test begun last: %s",
      status, begun
    ))
  }
  version <- read.dcf(file.path(source, "DESCRIPTION"), fields = "Version")[[1L]]
  c(kit$from_json(kit$read_text(counts)), list(
    source = "tests/testthat of reticulate's source", version = version
  ))
}

# The probe `train`: the data are made here, and cross into Python.
train <- function() {
  kit$need_framework(asked)
  kit$phase("convert")
  kit$stage("train", "make_data", {
    data <- kit$make_data()
    parts <- kit$split_data(data)
  })
  kit$stage("train", "transfer", arrived <- lapply(unname(parts), r_to_py))
  arrived <- kit$py$hashes(arrived)
  kit$phase("train")
  details <- work$train(parts, as.integer(asked$epochs), as.integer(asked$seed), device$actual)
  details$losses <- as.list(details$losses)
  details$x_sha <- list(made = kit$hash_pixels(data$x), arrived = arrived$x)
  details$y_sha <- list(made = kit$hash_labels(data$y), arrived = arrived$y)
  details
}

ended <- kit$attempt("init", init())
if ("init" %in% probes) kit$say_probe("init", ended)
work_of <- list(
  call = do_call, callback = do_callback, convert = do_convert, error = do_error,
  transfer = do_transfer,
  train = train, seed = do_seed,
  upstream = do_upstream
)
for (probe in intersect(probes, names(work_of))) {
  tried <- kit$can_be_tried(probe, ended)
  kit$say_probe(probe, if (tried) kit$attempt(probe, work_of[[probe]]()) else ended)
}
kit$phase("teardown")
kit$say("done")
