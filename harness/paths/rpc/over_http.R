# The transport `http`: the R package curl, one request a message.

bridge <- "curl"

load_bridge <- function() loadNamespace("curl")

# The address of the server that is at `ready`; the token goes with every request.
connect <- function(ready, token) {
  address <- sprintf("http://127.0.0.1:%d/call", as.integer(ready$port))
  handle <- curl::new_handle()
  list(
    hello = list(kind = "hello"),
    exchange = function(frame, deadline) {
      seconds <- max(1, as.numeric(difftime(deadline, Sys.time(), units = "secs")))
      curl::handle_setopt(
        handle, post = TRUE, postfieldsize = length(frame), postfields = frame,
        # Loopback is nothing for a proxy, and a port that is closed is closed for good.
        noproxy = "*", connecttimeout_ms = 10000L, timeout_ms = as.integer(seconds * 1000),
        maxfilesize = as.integer(LARGEST)
      )
      curl::handle_setheaders(
        handle, Authorization = paste("Bearer", token), Expect = "",
        "Content-Type" = "application/octet-stream"
      )
      reply <- tryCatch(
        curl::curl_fetch_memory(address, handle = handle),
        error = function(e) stop_closed(conditionMessage(e))
      )
      if (reply$status_code != 200L) {
        stop(
          "the server refuses the request: HTTP ", reply$status_code, ", ",
          trimws(rawToChar(reply$content)), call. = FALSE
        )
      }
      reply$content
    },
    close = function() NULL
  )
}
