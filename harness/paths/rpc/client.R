# R's side of a server in Python: starting it, calling it, being called back, ending it.

READY_LIMIT_S <- 100
HELLO_LIMIT_S <- 30
# Longer than a phase of a cell may take: the limit of the phase comes first, and is what counts.
CALL_LIMIT_S <- 1800
# From goodbye to its end: a framework may need long to leave. Less than a phase may take.
LEAVE_S <- 60
# How often a waiting R looks whether the server still lives.
LOOK_S <- 0.2

server <- new.env()
server$link <- NULL
server$process <- NULL
# Processor time of the server, as far as it has said it, in seconds.
server$cpu <- 0
server$functions <- list()

# Start the server and wait until it says where it is. Returns that.
start_server <- function(transport, token) {
  server$process <- start_process(
    "server", c(asked$python, file.path(files, "server.py")), token
  )
  ready <- file.path(cell, "rpc-ready.json")
  there <- within_limit(READY_LIMIT_S, function() {
    file.exists(ready) || !is_alive(server$process)
  })
  if (!there) {
    end_process(server$process)
    stop("the server was not ready within ", READY_LIMIT_S, " s", call. = FALSE)
  }
  if (!file.exists(ready)) {
    failed <- kit$read_text(file.path(cell, "rpc-failed.json"))
    if (!is.null(failed)) {
      end_process(server$process, GRACE_S)
      stop(python_condition(kit$from_json(failed), stderr_of(server$process)))
    }
    stop_ended(server$process, "before it was ready")
  }
  ready <- kit$from_json(kit$read_text(ready))
  server$cpu <- ready$cpu_s
  ready
}

# Stop where the server is gone, or owes an answer for longer than it may. Transports call it
# while they wait, about every LOOK_S seconds.
look_after <- function(deadline) {
  if (!is_alive(server$process)) stop_ended(server$process, "in the middle of a call")
  if (Sys.time() > deadline) {
    stop("the server, which lives, has not answered within its time", call. = FALSE)
  }
}

# Stop because a connection is closed: most often, its server has just ended.
stop_closed <- function(why) {
  within_limit(2, function() !is_alive(server$process))
  if (!is_alive(server$process)) stop_ended(server$process, "in the middle of a call")
  stop("the connection to the server is closed, but the server lives: ", why, call. = FALSE)
}

# Send a message and return the one that comes back.
exchange <- function(message, limit = CALL_LIMIT_S) {
  if (is.null(server$link)) stop("there is no connection to a server", call. = FALSE)
  if (!is_alive(server$process)) stop_ended(server$process, "before the call")
  frame <- pack(message, register)
  unpack(server$link$exchange(frame, Sys.time() + limit))
}

# Name a function of R for the server, while a call lasts.
register <- function(f) {
  name <- paste0("f", length(server$functions) + 1L)
  server$functions[[name]] <- f
  name
}

# Call a function of the server, and answer what it asks meanwhile.
call_server <- function(name, ...) {
  before <- server$functions
  on.exit(server$functions <- before)
  message <- list(kind = "call", name = name, args = list(...), phase = kit$state$phase)
  repeat {
    reply <- exchange(message)
    if (is.numeric(reply[["cpu_us"]])) server$cpu <- reply[["cpu_us"]] / 1e6
    message <- switch(
      reply[["kind"]],
      result = return(reply[["value"]]),
      error = {
        kit$state$phase <- reply[["phase"]]
        stop(python_condition(reply))
      },
      callback = answer_to(reply),
      wire_error("a message of the kind ", reply[["kind"]], " is no answer")
    )
  }
}

# The answer to a question of the server's: what a function of R returns, or how it failed.
answer_to <- function(question) {
  name <- question[["name"]]
  if (!is.character(name) || !(name %in% names(server$functions))) {
    wire_error("the server asks for a function that it was not given")
  }
  # A list of numbers alone travels as an array.
  arguments <- as.list(question[["args"]])
  tryCatch(
    list(kind = "answer", value = do.call(server$functions[[name]], arguments)),
    error = function(condition) {
      list(
        kind = "failed", class = class(condition)[[1L]], message = conditionMessage(condition)
      )
    }
  )
}

# A condition of R for an exception of Python's.
python_condition <- function(said, hidden = NULL) {
  structure(
    list(message = said[["message"]], call = NULL, python = said, hidden = hidden),
    class = c(said[["class"]], "python_error", "error", "condition")
  )
}

# What the kit asks of a condition (see kit.R).
python_error <- function(condition) {
  said <- condition$python
  if (is.null(said)) return(NULL)
  list(
    type = said[["class"]], message = said[["message"]], headline = said[["headline"]],
    innermost = said[["innermost"]], traceback = said[["traceback"]]
  )
}

# Close the connection, whatever became of the other end.
hang_up <- function() {
  link <- server$link
  server$link <- NULL
  if (!is.null(link)) tryCatch(suppressWarnings(link$close()), error = function(e) NULL)
}

# Say goodbye to the server; return NULL, or what is wrong with how it ended.
stop_server <- function() {
  process <- server$process
  if (is.null(process) || !is.null(process$status)) {
    hang_up()
    return(NULL)
  }
  deadline <- Sys.time() + LEAVE_S
  if (is_alive(process)) {
    tryCatch(exchange(list(kind = "bye"), GRACE_S), error = function(e) NULL)
  }
  hang_up()
  status <- end_process(process, as.numeric(difftime(deadline, Sys.time(), units = "secs")))
  if (isTRUE(process$was_killed)) {
    return(list(status = "fail", message = sprintf(
      "the server did not end within %d s after it was told to, and was killed", LEAVE_S
    )))
  }
  if (status == 0L) return(NULL)
  list(
    status = if (status >= 128L) "crash" else "fail",
    message = sprintf("the server ended by %s after its last result", child$ending(status))
  )
}
