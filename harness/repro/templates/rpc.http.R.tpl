#: start
library(curl)
connect <- function(port) sprintf("http://127.0.0.1:%d/", as.integer(port))
exchange <- function(link, frame) {
  handle <- new_handle(
    post = TRUE, postfieldsize = length(frame), postfields = frame, noproxy = "*"
  )
  curl_fetch_memory(link, handle_setheaders(handle, Expect = ""))$content
}
