# system: R calls a Python script with system2(), and data and results go through files.

entered <- Sys.time()
entered_cpu <- sum(proc.time()[1:2])

kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)

cell <- Sys.getenv("HARNESS_CELL")
files <- Sys.getenv("HARNESS_PATH_FILES")
worker_errors <- file.path(cell, "worker.stderr")

# Evaluate `expr` with the LD_LIBRARY_PATH that R was started with: R puts the folders of its own
# libraries in front of it, for itself and for every child.
with_libraries_of_caller <- function(expr) {
  mine <- Sys.getenv("LD_LIBRARY_PATH", NA)
  on.exit(if (is.na(mine)) Sys.unsetenv("LD_LIBRARY_PATH") else Sys.setenv(LD_LIBRARY_PATH = mine))
  if (nzchar(asked$caller_ld_library_path)) {
    Sys.setenv(LD_LIBRARY_PATH = asked$caller_ld_library_path)
  } else {
    Sys.unsetenv("LD_LIBRARY_PATH")
  }
  force(expr)
}

# Which Python a child turns out to be: version and libpython, or why it did not start.
look <- function() {
  errors <- tempfile("harness-look-")
  on.exit(unlink(errors))
  lines <- suppressWarnings(system2(
    asked$python, c("-E", "-S", shQuote(file.path(Sys.getenv("HARNESS_KIT"), "look.py"))),
    stdout = TRUE, stderr = errors
  ))
  if (!is.null(attr(lines, "status")) || length(lines) != 2L) {
    return(list(version = "none", libpython = kit$last_line(kit$read_text(errors))))
  }
  list(version = lines[[1L]], libpython = lines[[2L]])
}

# Call Python as R would, and as R's caller would; say it where they are not the same Python.
# Returns TRUE where the first is as good as the second.
look_at_libraries <- function() {
  as_r <- look()
  as_caller <- with_libraries_of_caller(look())
  if (identical(as_r, as_caller)) return(TRUE)
  kit$say("finding", id = "libpython-soname-swap-by-R", text = sprintf(
    paste(
      "R exports LD_LIBRARY_PATH=%s to its children, so %s loads %s (Python %s) and not its own",
      "%s (Python %s); the path calls it with the LD_LIBRARY_PATH that R itself was started with"
    ),
    Sys.getenv("LD_LIBRARY_PATH"), asked$python, as_r$libpython, as_r$version,
    as_caller$libpython, as_caller$version
  ))
  FALSE
}

# Make the data and write them for Python.
send_data <- function() {
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
  suppressWarnings(system2(asked$python, shQuote(arguments), stderr = worker_errors))
}

# What the worker had in hand for `probe`; NULL where it left nothing.
result_of <- function(probe) {
  text <- kit$read_text(file.path(cell, paste0("result-", probe, ".json")))
  if (is.null(text)) NULL else kit$from_json(text)
}

# The phase that the events file names last: the worker's, where it ended in the middle.
last_phase <- function() {
  lines <- readLines(Sys.getenv("HARNESS_EVENTS"), warn = FALSE)
  lines <- lines[grepl("\"event\": \"phase\"", lines, fixed = TRUE)]
  kit$from_json(lines[[length(lines)]])$phase
}

# How a child ended, in words.
ending <- function(status) {
  if (status < 128L) return(sprintf("exit status %d", status))
  names <- c("6" = "SIGABRT", "9" = "SIGKILL", "11" = "SIGSEGV", "15" = "SIGTERM", "4" = "SIGILL",
    "7" = "SIGBUS", "8" = "SIGFPE")
  number <- as.character(status - 128L)
  sprintf("signal %s", if (number %in% names(names)) names[[number]] else number)
}

# What stands for a probe whose worker ended badly, or ended well without a result.
without_result <- function(probe, status, before) {
  message <- if (status == 0L) {
    "the worker ended with exit status 0 and left no result"
  } else {
    sprintf("the worker ended by %s %s its result", ending(status), before)
  }
  kit$state$phase <- last_phase()
  errors <- kit$read_text(worker_errors)
  hidden <- if (is.null(errors) || !nzchar(errors)) NULL else kit$tail_of(errors)
  kit$say(
    "error", probe = probe, phase = kit$state$phase, class = "WorkerEnded", message = message,
    innermost = if (is.null(hidden)) message else kit$last_line(hidden),
    traceback = "", hidden = hidden
  )
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

kit$say_process_start(entered, entered_cpu)
kit$phase("start")
asked <- kit$request()
probes <- strsplit(asked$probes, ",")[[1L]]
kit$say_identity_of_r()

sent <- if ("train" %in% probes) kit$attempt("train", send_data()) else list(status = "none")
wanted <- if (sent$status == "pass") "init,train" else "init"
kit$phase("python")
plain <- kit$stage("init", "libpython_check", look_at_libraries())
status <- if (plain) call_worker(wanted) else with_libraries_of_caller(call_worker(wanted))
# The worker's standard error is R's as well: nothing that it said may be lost.
said <- kit$read_text(worker_errors)
if (!is.null(said) && nzchar(said)) cat(said, "\n", file = stderr(), sep = "")

for (probe in probes) {
  ended <- if (probe == "train" && sent$status != "pass") {
    sent
  } else {
    conclude(probe, status, last = probe == probes[[length(probes)]])
  }
  kit$say_probe(probe, ended)
}
kit$phase("teardown")
kit$say("done")
