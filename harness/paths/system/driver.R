# system: R calls a Python script with system2(), and data and results go through files.

entered <- Sys.time()
entered_cpu <- sum(proc.time()[1:2])

kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)
child <- new.env()
child$kit <- kit
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "child.R"), envir = child)

cell <- Sys.getenv("HARNESS_CELL")
files <- Sys.getenv("HARNESS_PATH_FILES")
worker_errors <- file.path(cell, "worker.stderr")

# Make the data and write them for Python.
send_data <- function() {
  kit$need_framework(asked)
  kit$phase("convert")
  kit$stage("train", "make_data", {
    data <- kit$make_data()
    parts <- kit$split_data(data)
  })
  made <<- list(x = kit$hash_pixels(data$x), y = kit$hash_labels(data$y))
  labels <<- as.integer(parts$y_test)
  kit$stage("train", "transfer", {
    for (name in names(parts)) kit$write_array(file.path(cell, paste0(name, ".bin")), parts[[name]])
  })
}
made <- NULL
labels <- NULL

# Call the worker for `wanted`; return its exit status, 128 + n for signal n.
call_worker <- function(wanted) {
  arguments <- c(file.path(files, "worker.py"), sprintf("%.6f", Sys.time()), wanted)
  child$run(asked$python, arguments, worker_errors)
}

# Evaluate `expr`, which starts Python, so that Python finds its own libraries.
starting_python <- function(expr) {
  if (plain) force(expr) else child$with_libraries_of_caller(asked, expr)
}

# Have the worker do one of its small works for `probe`, in a process of its own. What that writes
# to standard error is all that is known of an exception; a signal ends the whole probe.
have_done <- function(probe, ...) {
  errors <- file.path(cell, "call.stderr")
  arguments <- c(file.path(files, "worker.py"), ...)
  status <- starting_python(child$run(asked$python, arguments, errors))
  if (status == 0L) return(invisible())
  text <- kit$read_text(errors)
  if (status >= 128L) {
    message <- paste("Python was ended by", child$ending(status))
    say_ended(probe, message, text)
    kit$refuse("crash", message)
  }
  stop(structure(
    list(message = kit$last_line(text), call = NULL, text = text),
    class = c("python_ended", "error", "condition")
  ))
}

# Have Python call one of the kit's functions, for `probe`.
call_python <- function(probe, name, argument = NULL) {
  result <- file.path(cell, "call-result.json")
  unlink(result)
  writeLines(kit$json(list(value = argument)), file.path(cell, "call-argument.json"))
  have_done(probe, "call", name)
  kit$from_json(kit$read_text(result))$value
}

# What R sees of an exception: the end of what Python wrote to standard error.
seen_of_error <- function(condition) {
  message <- conditionMessage(condition)
  list(
    raised = TRUE, class = sub(":.*$", "", message), message = message,
    traceback = kit$tail_of(condition$text)
  )
}

# The probes `call` and `error`: one start of Python a call, so few of them.
do_call <- function() {
  kit$call_probe(
    function() call_python("call", "noop"), function(value) call_python("call", "echo", value),
    most = 10L
  )
}
do_error <- function() {
  kit$error_probe(
    function(text) call_python("error", "raise_error", text),
    function(fails) {
      kit$refuse("unsupported", "Python is another process, and has nothing of R to call")
    },
    seen = seen_of_error, most = 10L
  )
}

# The probe `transfer`: numbers go through files of their bytes, texts through lines, a data frame
# through CSV. Python reads a file and is gone, so what it keeps is that file.
do_transfer <- function() {
  transfer <- new.env()
  transfer$kit <- kit
  sys.source(file.path(Sys.getenv("HARNESS_KIT"), "transfer.R"), envir = transfer)
  sent <- file.path(cell, "transfer-sent")
  given <- file.path(cell, "transfer-given")
  worker <- function(action, kind) {
    have_done("transfer", "transfer", action, kind)
    kit$from_json(kit$read_text(file.path(cell, "call-result.json")))$value
  }
  write <- function(kind, values) {
    switch(
      kind, strings = writeLines(values, sent),
      frame = utils::write.csv(values, sent, row.names = FALSE), kit$write_array(sent, values)
    )
  }
  transfer$transfer_probe(list(
    why_not = function(kind) worker("why_not", kind),
    prepare = function(kind, values) values,
    put = function(kind, values) {
      write(kind, values)
      worker("read", kind)
    },
    get = function(kind) {
      worker("give", kind)
      switch(
        kind, strings = readLines(given),
        frame = utils::read.csv(given, stringsAsFactors = FALSE), kit$read_array(given)
      )
    },
    hash = function(kind) worker("hash", kind)
  ))
}

# The probe `convert`: numeric arrays go through files of their bytes, everything else through JSON.
do_convert <- function() {
  sent <- file.path(cell, "convert-sent")
  given <- file.path(cell, "convert-given")
  send <- function(value) {
    unlink(paste0(sent, c(".bin", ".json")))
    if (is.numeric(value) && !is.object(value) && length(dim(value)) > 1L) {
      return(kit$write_array(paste0(sent, ".bin"), value))
    }
    writeLines(kit$json(list(value = value)), paste0(sent, ".json"))
  }
  work <- function(action, name) {
    unlink(paste0(given, c(".bin", ".json")))
    have_done("convert", "convert", action, name)
  }
  received <- function() {
    if (file.exists(paste0(given, ".bin"))) return(kit$read_array(paste0(given, ".bin")))
    kit$from_json(kit$read_text(paste0(given, ".json")))$value
  }
  convert <- kit$load_convert()
  convert$convert_probe(asked, function(action, name, value) {
    if (action %in% c("take", "check")) send(value)
    # What is taken is given back by the same process: none lives longer.
    if (action != "give_back") work(action, name)
    if (action %in% c("make", "give_back")) received()
  })
}

# The documented examples of this path, as they are written and as corrected.
do_seed <- function() {
  examples <- new.env()
  sys.source(file.path(Sys.getenv("HARNESS_KIT"), "seed", "seed.R"), envir = examples)
  examples$seed_probe(kit, asked)
}

# What the worker had in hand for `probe`; NULL where it left nothing.
result_of <- function(probe) {
  text <- kit$read_text(file.path(cell, paste0("result-", probe, ".json")))
  if (is.null(text)) NULL else kit$from_json(text)
}

# Whether the worker has said itself how `probe` ended. It says so before it leaves the result.
has_said <- function(probe, ended) probe == "init" && identical(ended, result_of(probe))

# Say the error event of a worker that ended, with what it had written to standard error.
say_ended <- function(probe, message, errors) {
  hidden <- if (is.null(errors) || !nzchar(errors)) NULL else kit$tail_of(errors)
  kit$say(
    "error", probe = probe, phase = kit$state$phase, class = "WorkerEnded", message = message,
    innermost = if (is.null(hidden)) message else kit$last_line(hidden),
    traceback = "", hidden = hidden
  )
}

# What stands for a probe whose worker ended badly, or ended well without a result.
without_result <- function(probe, status, before) {
  message <- if (status == 0L) {
    "the worker ended with exit status 0 and left no result"
  } else {
    sprintf("the worker ended by %s %s its result", child$ending(status), before)
  }
  kit$state$phase <- child$last_phase()
  say_ended(probe, message, kit$read_text(worker_errors))
  list(
    status = if (status >= 128L) "crash" else "fail", phase = kit$state$phase, message = message,
    details = kit$nothing()
  )
}

# Add to the result of `train` what R itself sees: the predictions come back as an array.
collect <- function(details) {
  kit$stage("train", "collect", chances <- kit$read_array(file.path(cell, "chances.bin")))
  details$accuracy <- mean(max.col(chances) - 1L == labels)
  details$x_sha <- list(made = made$x, arrived = details$arrived$x)
  details$y_sha <- list(made = made$y, arrived = details$arrived$y)
  details$arrived <- NULL
  details
}

# How a probe ended, as R knows it once the worker is gone.
conclude <- function(probe, status, last) {
  result <- result_of(probe)
  if (is.null(result)) return(without_result(probe, status, "before"))
  # Some stacks crash on their way out, after they have said that all is well.
  if (status != 0L && last) return(without_result(probe, status, "after"))
  if (probe != "train" || result$status != "pass") return(result)
  kit$state$phase <- "convert"
  checked <- kit$attempt("train", collect(result$details))
  if (checked$status == "pass") checked$phase <- result$phase
  checked
}

# What R waits for is done in other processes: those that have ended count as well.
kit$cpu_now <- function() sum(proc.time()[c(1:2, 4:5)])

kit$say_process_start(entered, entered_cpu)
kit$phase("start")
asked <- kit$request()
probes <- strsplit(asked$probes, ",")[[1L]]
kit$say_identity_of_r()

sent <- if ("train" %in% probes) kit$attempt("train", send_data()) else list(status = "none")
wanted <- if (sent$status == "pass") "init,train" else "init"
kit$phase("python")
plain <- kit$stage("init", "libpython_check", child$look_at_libraries(asked))
# The worker is measured from its start on: all of it is one turn.
status <- kit$in_turn("worker", starting_python(call_worker(wanted)))
# The worker's standard error is R's as well: nothing that it said may be lost.
said <- kit$read_text(worker_errors)
if (!is.null(said) && nzchar(said)) cat(said, "\n", file = stderr(), sep = "")

started <- conclude("init", status, last = identical(wanted, "init"))
work_of <- list(
  call = do_call, convert = do_convert, error = do_error, transfer = do_transfer, seed = do_seed
)
for (probe in intersect(probes, c("init", "train", names(work_of)))) {
  ended <- if (probe == "init") {
    started
  } else if (probe == "train") {
    if (sent$status == "pass") conclude(probe, status, last = TRUE) else sent
  } else if (kit$can_be_tried(probe, started)) {
    kit$attempt(probe, work_of[[probe]]())
  } else {
    started
  }
  if (!has_said(probe, ended)) kit$say_probe(probe, ended)
}
kit$phase("teardown")
kit$say("done")
