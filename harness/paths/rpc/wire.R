# Messages of the path rpc as raw vectors: a small JSON text and raw arrays. The format and the
# reasons for it are described in wire.py, which does the same for Python.

FRAME_MAGIC <- charToRaw("HKFRAME1")
ARRAY_MAGIC <- charToRaw("HKARRAY1")
LARGEST <- 268435456
LARGEST_TEXT <- 1048576

# The bytes of 32-bit integers, and back.
int_bytes <- function(values) writeBin(as.integer(values), raw(), size = 4L, endian = "little")
bytes_int <- function(bytes, n = 1L) readBin(bytes, "integer", n, size = 4L, endian = "little")

# Stop because of what came over the wire.
wire_error <- function(...) {
  stop(structure(
    list(message = paste0(...), call = NULL), class = c("WireError", "error", "condition")
  ))
}

# Why a value has no place in a message, or NULL. What the other side could not tell from another
# value is refused here, so that nothing is lost without a word.
no_place <- function(value) {
  # An S4 object and a formula have a class, too.
  if (is.object(value)) return(paste("a value of class", class(value)[[1L]]))
  if (is.list(value)) {
    keys <- names(value)
    if (!is.null(dim(value))) return("a list with dimensions")
    if (anyNA(keys) || !all(nzchar(keys))) return("a list of which some have a name and some none")
    if (anyDuplicated(keys) > 0L) return("a list with a name that occurs twice")
    return(NULL)
  }
  if (!is.logical(value) && !is.numeric(value) && !is.character(value)) {
    return(paste("a value of type", typeof(value)))
  }
  if (!is.null(names(value)) || !is.null(dimnames(value))) return("a vector or an array with names")
  if (is.double(value)) return(NULL)
  if (anyNA(value)) return(paste("NA of type", typeof(value)))
  if (!is.numeric(value) && !is.null(dim(value))) return(paste("an array of type", typeof(value)))
  NULL
}

# A message (a list with `kind`) as a frame. Numbers and arrays of them become raw arrays, one
# number an array without extents; `register(f)` names a function for the other side.
pack <- function(message, register = NULL) {
  arrays <- list()
  outgoing <- function(value) {
    if (is.function(value)) {
      if (is.null(register)) wire_error("a function has no place in this message")
      return(list(`$callback` = register(value)))
    }
    if (is.null(value)) return(NULL)
    why_not <- no_place(value)
    if (!is.null(why_not)) wire_error(why_not, " has no place in a message")
    if (is.numeric(value)) {
      extent <- dim(value)
      if (is.null(extent)) extent <- if (length(value) == 1L) integer() else length(value)
      whole <- is.integer(value)
      arrays[[length(arrays) + 1L]] <<- c(
        ARRAY_MAGIC, int_bytes(c(if (whole) 2L else 1L, length(extent), extent)),
        writeBin(as.vector(value), raw(), size = if (whole) 4L else 8L, endian = "little")
      )
      return(list(`$array` = length(arrays) - 1L))
    }
    if (is.list(value)) return(lapply(value, outgoing))
    value
  }
  text <- charToRaw(kit$json(outgoing(message)))
  if (length(text) > LARGEST_TEXT) wire_error("a text is too long for a message")
  frame <- do.call(c, c(list(FRAME_MAGIC, int_bytes(length(text)), text), arrays))
  if (length(frame) > LARGEST) wire_error("a frame is larger than the largest")
  frame
}

# The message of a frame, every length of which is checked.
unpack <- function(frame) {
  if (length(frame) < 12L || !identical(frame[1:8], FRAME_MAGIC)) wire_error("this is no frame")
  size <- bytes_int(frame[9:12])
  if (is.na(size) || size < 0L || size > LARGEST_TEXT || 12L + size > length(frame)) {
    wire_error("the text of a frame is too long or cut short")
  }
  arrays <- list()
  at <- 12L + size
  while (at < length(frame)) {
    next_array <- unpack_array(frame, at)
    arrays[[length(arrays) + 1L]] <- next_array$value
    at <- next_array$at
  }
  incoming <- function(value) {
    if (!is.list(value)) return(value)
    if (identical(names(value), "$array")) {
      number <- value[[1L]]
      if (!is.numeric(number) || number < 0 || number >= length(arrays)) {
        wire_error("a message names an array that it does not bring")
      }
      return(arrays[[number + 1L]])
    }
    lapply(value, incoming)
  }
  message <- incoming(kit$from_json(rawToChar(frame[12L + seq_len(size)])))
  if (!is.list(message) || !is.character(message$kind)) {
    wire_error("a message is an object that says its kind")
  }
  message
}

# One array from the bytes of `frame` behind the first `at`: its value, and where it ends.
unpack_array <- function(frame, at) {
  if (length(frame) < at + 16L || !identical(frame[at + 1:8], ARRAY_MAGIC)) {
    wire_error("there is no array where one should begin")
  }
  head <- bytes_int(frame[at + 9:16], 2L)
  kind <- head[[1L]]
  rank <- head[[2L]]
  if (!(kind %in% 1:2) || is.na(rank) || rank < 0L || rank > 8L) {
    wire_error("an array is of an unknown kind or has too many extents")
  }
  at <- at + 16L
  if (length(frame) < at + 4L * rank) wire_error("an array is cut short")
  extent <- bytes_int(frame[at + seq_len(4L * rank)], rank)
  at <- at + 4L * rank
  if (anyNA(extent) || any(extent < 0L)) wire_error("an array has a negative extent")
  # As doubles, which do not overflow here.
  count <- prod(as.numeric(extent))
  size <- if (kind == 2L) 4L else 8L
  if (count * size > length(frame) - at) wire_error("an array is cut short")
  what <- if (kind == 2L) "integer" else "double"
  bytes <- frame[at + seq_len(count * size)]
  value <- readBin(bytes, what, count, size = size, endian = "little")
  if (rank > 1L) dim(value) <- extent
  list(value = value, at = at + as.integer(count * size))
}
