# Processes beside R: started with base R alone, watched, and ended with it.
#
# pipe() starts a child whose standard input R holds: it is where the child is told the token, and
# it closes when R ends, however R ends, so that the child knows. close() waits for the child and
# gives its status. What a child writes to standard error is kept in the cell's folder.

POLL_S <- 0.02
GRACE_S <- 10
# How long the shell of a process may take to answer: on a busy machine seconds, and long enough
# that what has not answered by then never will.
SHELL_LIMIT_S <- 60

# Start `command` (words, quoted here). With `minder`, a shell ends it when R is gone: for a
# program that does not look after that itself.
start_process <- function(name, command, line, minder = FALSE) {
  file_of <- function(kind) file.path(cell, paste0(name, ".", kind))
  words <- paste(shQuote(command), collapse = " ")
  # The shell becomes the program, so that its number is the program's. It waits for an empty line
  # first: `line`, which R sends with it, is then in the pipe before the program can end. Without
  # that, a program that ends at once makes R write to nobody (SIGPIPE), and what is left in the
  # buffer makes close() return -1 (R 4.5 with glibc 2.41) and not how the program ended.
  script <- sprintf("read -r _; echo $$ > %s; ", shQuote(file_of("pid")))
  if (minder) {
    script <- paste0(
      script, "exec 3<&0; (cat <&3 >/dev/null; kill -9 $$ 2>/dev/null) & ",
      "exec ", words, " </dev/null 3<&-"
    )
  } else {
    script <- paste0(script, "exec ", words)
  }
  script <- paste0(script, " 2>", shQuote(file_of("stderr")))
  process <- new.env()
  process$name <- name
  process$stderr <- file_of("stderr")
  process$status <- NULL
  process$connection <- child$with_libraries_of_caller(asked, pipe(script, "w"))
  # A shell that did not start has closed its standard input: that is found out below.
  try(suppressWarnings(writeLines(c("", line), process$connection)), silent = TRUE)
  try(suppressWarnings(flush(process$connection)), silent = TRUE)
  answered <- within_limit(SHELL_LIMIT_S, function() {
    file.exists(file_of("pid")) && length(readLines(file_of("pid"), warn = FALSE)) == 1L
  })
  if (!answered) {
    # Whatever it still starts finds its standard input closed, and leaves.
    try(suppressWarnings(close(process$connection)), silent = TRUE)
    stop("the ", name, " could not be started: its shell did not answer", call. = FALSE)
  }
  process$pid <- as.integer(readLines(file_of("pid")))
  reg.finalizer(process, end_process, onexit = TRUE)
  process
}

# Wait until `done()` is true; FALSE where it was not within `limit` seconds.
within_limit <- function(limit, done) {
  deadline <- Sys.time() + limit
  while (!done()) {
    if (Sys.time() > deadline) return(FALSE)
    Sys.sleep(POLL_S)
  }
  TRUE
}

# Whether a process runs: one that has ended stays as a zombie until R asks for its status.
is_alive <- function(process) {
  if (!is.null(process$status)) return(FALSE)
  text <- tryCatch(
    suppressWarnings(readLines(file.path("/proc", process$pid, "stat"), warn = FALSE)),
    error = function(e) character()
  )
  if (length(text) == 0L) return(FALSE)
  # The name of the program stands in brackets, and may have any letters.
  state <- substr(sub("^.*\\) ", "", text[[length(text)]]), 1L, 1L)
  !(state %in% c("Z", "X"))
}

# The exit status of a process, 128 + n for signal n. Waits for its end; one that does not end
# within `grace` seconds is killed.
end_process <- function(process, grace = 0) {
  if (!is.null(process$status)) return(process$status)
  process$was_killed <- !within_limit(grace, function() !is_alive(process))
  if (process$was_killed) tools::pskill(process$pid, tools::SIGKILL)
  status <- tryCatch(suppressWarnings(close(process$connection)), error = function(e) NULL)
  # As wait() gives it: the signal in the lowest seven bits, the exit status in the next byte.
  # A negative one is no status but a fault of close() itself.
  if (is.null(status) || status < 0L) status <- 0L
  process$status <- if (status %% 128L > 0L) 128L + status %% 128L else status %/% 256L
  process$status
}

# What a process wrote to standard error so far; NULL for nothing.
stderr_of <- function(process) {
  text <- kit$read_text(process$stderr)
  if (is.null(text) || !nzchar(text)) NULL else kit$tail_of(text)
}

# Stop because a process has ended that should not have.
stop_ended <- function(process, when) {
  status <- end_process(process, GRACE_S)
  stop(structure(
    list(
      message = sprintf("the %s ended by %s %s", process$name, child$ending(status), when),
      call = NULL, status = if (status >= 128L) "crash" else "fail", hidden = stderr_of(process)
    ),
    class = c("ProcessEnded", "error", "condition")
  ))
}

# As kit$attempt(), for work that needs another process: its end is reported as what it was, in
# the phase that it had said it was in.
attempt <- function(probe, expr) {
  kit$attempt(probe, tryCatch(expr, ProcessEnded = function(condition) {
    kit$state$phase <- child$last_phase()
    say_ended(probe, conditionMessage(condition), condition$hidden)
    kit$refuse(condition$status, conditionMessage(condition))
  }))
}

# Say the error event of a process that ended.
say_ended <- function(probe, message, hidden) {
  kit$say(
    "error", probe = probe, phase = kit$state$phase, class = "ProcessEnded", message = message,
    innermost = if (is.null(hidden)) message else kit$last_line(hidden), traceback = "",
    hidden = hidden
  )
}

# --- Ports ----------------------------------------------------------------------------------

# The sockets on which the processes `pids` wait for strangers, one text each; loopback apart.
# A Unix socket is none of them: it is a file, and has a file's rights.
open_ports <- function(pids) {
  inodes <- unlist(lapply(pids, function(pid) {
    links <- Sys.readlink(list.files(file.path("/proc", pid, "fd"), full.names = TRUE))
    sub("^socket:\\[([0-9]+)\\]$", "\\1", links[grepl("^socket:", links)])
  }))
  # The state of a TCP socket that listens, and of a UDP socket that takes from anybody.
  states <- c(tcp = "0A", tcp6 = "0A", udp = "07", udp6 = "07")
  found <- character()
  for (kind in names(states)) {
    lines <- tryCatch(
      suppressWarnings(readLines(file.path("/proc/net", kind))[-1L]), error = function(e) NULL
    )
    for (fields in strsplit(trimws(lines), " +")) {
      if (fields[[4L]] != states[[kind]] || !(fields[[10L]] %in% inodes)) next
      local <- strsplit(fields[[2L]], ":")[[1L]]
      port <- strtoi(local[[2L]], 16L)
      address <- address_of(local[[1L]])
      found <- c(found, sprintf("%s %s:%d", sub("6$", "", kind), address, port))
    }
  }
  found
}

# An address of /proc/net: words of four bytes, each the other way round.
address_of <- function(hex) {
  bytes <- strtoi(substring(hex, seq(1L, nchar(hex), 2L), seq(2L, nchar(hex), 2L)), 16L)
  bytes <- as.vector(matrix(bytes, 4L)[4:1, ])
  mapped <- length(bytes) == 16L && all(bytes[1:10] == 0L) && all(bytes[11:12] == 255L)
  if (mapped) bytes <- bytes[13:16]
  if (length(bytes) == 4L) return(paste(bytes, collapse = "."))
  if (all(bytes[1:15] == 0L) && bytes[[16L]] == 1L) return("[::1]")
  groups <- bytes[c(TRUE, FALSE)] * 256L + bytes[c(FALSE, TRUE)]
  sprintf("[%s]", paste(sprintf("%x", groups), collapse = ":"))
}

is_loopback <- function(port) grepl("^(tcp|udp) (127\\.[0-9.]+|\\[::1\\]):[0-9]+$", port)

# Stop where one of the processes can be reached from elsewhere; return what they listen on.
check_ports <- function(pids) {
  ports <- open_ports(pids)
  open <- ports[!is_loopback(ports)]
  if (length(open) > 0L) {
    stop("strangers can reach ", paste(open, collapse = ", "), ", which is not loopback",
      call. = FALSE)
  }
  ports
}

# --- The token ------------------------------------------------------------------------------

# 32 bytes that nobody can guess, in hexadecimal digits.
new_token <- function() {
  source <- file("/dev/urandom", "rb", raw = TRUE)
  on.exit(close(source))
  paste(readBin(source, "raw", 32L), collapse = "")
}
