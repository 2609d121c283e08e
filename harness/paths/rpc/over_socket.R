# The transport `socket`: a connection of base R, frames with their length in front.

bridge <- NULL

load_bridge <- function() NULL

# Connect to the server that is at `ready`. Returns the link and says nothing yet: the token
# goes with the first message.
connect <- function(ready, token) {
  arguments <- list(
    host = "127.0.0.1", port = as.integer(ready$port), open = "r+b", blocking = TRUE,
    # Seconds within a frame; between frames R asks whether there is anything to read.
    timeout = 60L
  )
  # Since R 4.0.3: without it the end of a large frame can wait for 40 ms.
  if ("options" %in% names(formals(socketConnection))) arguments$options <- "no-delay"
  connection <- do.call(socketConnection, arguments)
  take <- function(n) {
    bytes <- suppressWarnings(readBin(connection, "raw", n))
    if (length(bytes) < n) stop_closed("it ended in the middle of a frame")
    bytes
  }
  list(
    hello = list(kind = "hello", token = token),
    exchange = function(frame, deadline) {
      sent <- tryCatch(
        suppressWarnings(writeBin(c(int_bytes(length(frame)), frame), connection)),
        error = function(e) stop_closed(conditionMessage(e))
      )
      while (!socketSelect(list(connection), FALSE, LOOK_S)) look_after(deadline)
      head <- suppressWarnings(readBin(connection, "raw", 4L))
      if (length(head) < 4L) stop_closed("the other side closed it")
      size <- bytes_int(head)
      if (is.na(size) || size < 0L || size > LARGEST) wire_error("a frame is too large")
      take(size)
    },
    close = function() close(connection)
  )
}
