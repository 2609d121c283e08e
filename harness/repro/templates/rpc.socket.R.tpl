#: start
connect <- function(port) {
  socketConnection("127.0.0.1", port, open = "r+b", blocking = TRUE, timeout = 600)
}
exchange <- function(link, frame) {
  writeBin(c(writeBin(length(frame), raw(), endian = "little"), frame), link)
  size <- readBin(link, "integer", 1L, endian = "little")
  if (length(size) == 0L) stop("the server has ended in the middle of a call")
  readBin(link, "raw", size)
}
