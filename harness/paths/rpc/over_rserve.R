# The transport `rserve`, the reverse of the others: Rserve makes a server of R, and Python, which
# holds the framework, calls it with pyRserve for the data and for all that R is to compute.
#
# This R only starts both, watches over them and says how they ended; the probes' results are said
# by over_rserve.py.

SOCKET <- "rpc-rserve.sock"
START_LIMIT_S <- 60
# How long Python may go on when Rserve has died, until it has said what it sees of that.
AFTERMATH_S <- 15

# Start Rserve on a Unix socket that only this user can open and whose users must show the token.
# Returns the process.
start_rserve <- function(token) {
  # Rserve reads it when somebody connects, and has changed its folder by then.
  passwords <- file.path(cell, "rpc-rserve.users")
  before <- Sys.umask("077")
  writeLines(paste("r", token), passwords)
  Sys.umask(before)
  directives <- list(
    remote = "disable", auth = "required", plaintext = "enable", pwdfile = passwords,
    socket = SOCKET, sockmod = "0600", oob = "enable", encoding = "utf8",
    workdir = file.path(cell, "rserve"), config.file = "/dev/null"
  )
  code <- sprintf("Rserve::run.Rserve(%s)", paste(
    names(directives), vapply(directives, deparse, ""), sep = " = ", collapse = ", "
  ))
  process <- start_process(
    "Rserve", c(file.path(R.home("bin"), "Rscript"), "--no-init-file", "-e", code), "",
    minder = TRUE
  )
  there <- within_limit(START_LIMIT_S, function() {
    file.exists(file.path(cell, SOCKET)) || !is_alive(process)
  })
  if (!is_alive(process)) stop_ended(process, "before it was ready")
  if (!there) stop("Rserve was not ready within ", START_LIMIT_S, " s", call. = FALSE)
  process
}

# Wait for the end of the worker; return its exit status.
watch <- function(worker, rserve) {
  aftermath <- NULL
  repeat {
    if (is.null(aftermath)) aftermath <- if (!is_alive(rserve)) Sys.time() + AFTERMATH_S
    if (!is_alive(worker)) return(end_process(worker, GRACE_S))
    if (!is.null(aftermath) && Sys.time() > aftermath) return(end_process(worker))
    # Both can be asked for a port at any time.
    check_ports(c(rserve$pid, worker$pid))
    for (number in 1:25) {
      if (!is_alive(worker)) break
      Sys.sleep(POLL_S)
    }
  }
}

# Whether the worker has said how `probe` ended.
has_said <- function(probe) {
  said <- sprintf("{\"event\": \"probe\", \"name\": \"%s\"", probe)
  any(startsWith(readLines(Sys.getenv("HARNESS_EVENTS"), warn = FALSE), said))
}

# What stands for a probe whose worker ended badly, or ended well without a result.
without_result <- function(probe, status, worker, rserve, before) {
  message <- if (status == 0L) {
    "the worker ended with exit status 0 and left no result"
  } else {
    sprintf("the worker ended by %s %s its result", child$ending(status), before)
  }
  if (!is_alive(rserve)) {
    gone <- child$ending(end_process(rserve))
    message <- sprintf("%s; Rserve had ended by %s", message, gone)
  }
  kit$state$phase <- child$last_phase()
  say_ended(probe, message, stderr_of(worker))
  list(
    status = if (status >= 128L && !worker$was_killed) "crash" else "fail",
    phase = kit$state$phase, message = message, details = kit$nothing()
  )
}

# Do the probes that the cell is asked for.
run_over_rserve <- function() {
  rserve <- worker <- status <- NULL
  token <- new_token()
  start <- function() {
    kit$phase("bridge")
    kit$stage("init", "bridge_load", rserve <<- start_rserve(token))
    ports <- check_ports(c(Sys.getpid(), rserve$pid))
    kit$say("identity", identity = list(rpc = list(
      transport = "rserve", listens = as.list(if (length(ports) > 0L) ports else "unix socket")
    )))
    kit$phase("python")
    kit$stage("init", "libpython_check", child$look_at_libraries(asked))
    script <- file.path(files, "over_rserve.py")
    worker <<- start_process(
      "worker", c(asked$python, script, sprintf("%.6f", Sys.time()), SOCKET), token
    )
    status <<- watch(worker, rserve)
    kit$nothing()
  }
  started <- attempt("init", start())
  said <- vapply(probes, has_said, NA)
  for (probe in probes) {
    last <- probe == probes[[length(probes)]]
    if (started$status != "pass") {
      if (!said[[probe]]) kit$say_probe(probe, started)
    } else if (!said[[probe]]) {
      kit$say_probe(probe, without_result(probe, status, worker, rserve, "before"))
    } else if (status != 0L && last) {
      # Some stacks crash on their way out, after they have said that all is well.
      kit$say_probe(probe, without_result(probe, status, worker, rserve, "after"))
    }
  }
  for (process in list(worker, rserve)) {
    if (is.null(process)) next
    if (is_alive(process)) tools::pskill(process$pid, tools::SIGTERM)
    end_process(process, GRACE_S)
    text <- stderr_of(process)
    if (!is.null(text)) cat(text, "\n", file = stderr(), sep = "")
  }
}
