# The probe `transfer`: values by the million into Python and back, timed, and hashed on both sides.
#
# Base R 4.0 to 4.6 alone. Load it into an environment beside the kit's, which it uses:
#   transfer <- new.env(); transfer$kit <- kit
#   sys.source(file.path(Sys.getenv("HARNESS_KIT"), "transfer.R"), envir = transfer)
# The same things for Python are in harness_transfer.py; the values are described in
# docs/reference/cell-protocol.md.

KINDS <- c("doubles", "integers", "strings", "frame")
SIZES <- c("1" = 1, "1e3" = 1e3, "1e4" = 1e4, "1e5" = 1e5, "1e6" = 1e6, "1e7" = 1e7)
# Values, or rows of a data frame, of which there is memory for on any machine.
LARGEST <- c(doubles = 1e7, integers = 1e7, strings = 1e6, frame = 1e6)
# Bytes of a value, or of a row.
BYTES <- c(doubles = 8, integers = 4, strings = 8, frame = 20)
# How long a stage lasts, and how long the next larger size may take at most, in seconds.
STEADY_S <- 0.1
LONGEST_S <- 4
MOST <- 1000L
# From this size on, what a crossing takes grows with the number of values, and its memory shows.
TELLING <- 1e4
SHOWING <- 1e6

# The values: doubles that any path can carry (few digits, and exact), integers of both signs,
# texts of eight letters.
make_values <- function(kind, n) {
  i <- seq_len(n) - 1
  doubles <- function() ((i * 7919) %% 10007) / 8
  integers <- function() as.integer((i * 7919) %% 1000003 - 500000)
  strings <- function() sprintf("v%07d", as.integer(i))
  switch(
    kind, doubles = doubles(), integers = integers(), strings = strings(),
    frame = data.frame(x = doubles(), i = integers(), s = strings(), stringsAsFactors = FALSE)
  )
}

md5_of_text <- function(text) kit$md5_of(charToRaw(enc2utf8(text)), 1L)

# MD5 of values: of doubles and integers as they lie in memory, little-endian, of texts in UTF-8
# with a line feed between them, of a data frame of the hashes of its three columns.
hash_values <- function(kind, values) {
  switch(
    kind,
    doubles = kit$md5_of(as.double(values), 8L), integers = kit$md5_of(as.integer(values), 4L),
    strings = md5_of_text(paste(as.character(values), collapse = "\n")),
    frame = md5_of_text(paste(
      hash_values("doubles", values$x), hash_values("integers", values$i),
      hash_values("strings", values$s)
    ))
  )
}

# --- Memory -----------------------------------------------------------------------------------

# A field of this process's status, in MB; NULL where there is none.
own_mb <- function(field) {
  lines <- tryCatch(
    suppressWarnings(readLines("/proc/self/status", warn = FALSE)), error = function(e) character()
  )
  line <- lines[startsWith(lines, paste0(field, ":"))]
  if (length(line) == 1L) as.numeric(gsub("[^0-9]", "", line)) / 1024
}

# Have the kernel forget the peak of this process's memory; return what is resident now in MB, or
# NULL where the kernel cannot.
mark_memory <- function() {
  forgotten <- tryCatch({
    suppressWarnings(cat("5", file = "/proc/self/clear_refs"))
    TRUE
  }, error = function(e) FALSE)
  if (forgotten) own_mb("VmRSS")
}

# How far the peak rose above `mark`.
grown_mb <- function(mark) if (!is.null(mark)) round(max(own_mb("VmHWM") - mark, 0), 1)

# --- Where R is the host ------------------------------------------------------------------------

# The probe. `bridge` is a list of functions that go over the bridge into those of the same names
# in harness_transfer.py:
#   why_not(kind)         why the path cannot carry a kind, or NULL
#   prepare(kind, values) what a user would make of the values before they cross; not timed
#   put(kind, values)     hands the values to Python, which keeps them
#   get(kind)             has Python give them back
#   hash(kind)            MD5 of what Python keeps
#   address(kind)         where in memory the numbers lie that Python keeps, in hexadecimal; NULL
#                         where Python is another process
#   mark(), grown(mark)   as above, of the other process; NULL where there is none
# Returns the details.
transfer_probe <- function(bridge) {
  kit$phase("convert")
  kinds <- lapply(KINDS, of_kind, bridge = bridge)
  names(kinds) <- KINDS
  reasons <- vapply(kinds, function(seen) is.null(seen$sizes), NA)
  if (all(reasons)) kit$refuse("unsupported", kinds[[1L]]$unsupported)
  list(kinds = kinds)
}

of_kind <- function(bridge, kind) {
  reason <- bridge$why_not(kind)
  if (!is.null(reason)) return(list(unsupported = reason))
  sizes <- list()
  ended <- NULL
  for (label in names(SIZES)[SIZES <= LARGEST[[kind]]]) {
    seen <- kit$attempt("transfer", next_size(bridge, kind, label, sizes), part = TRUE)
    if (seen$status != "pass") {
      if (length(sizes) == 0L && seen$status == "unsupported") {
        return(list(unsupported = seen$message))
      }
      if (seen$status != "unsupported") return(list(sizes = sizes, error = seen$message))
      ended <- seen$message
      break
    }
    sizes[[length(sizes) + 1L]] <- seen$details
  }
  list(sizes = sizes, ended = ended)
}

# The size that comes after `sizes`, where it does not take too long by those.
next_size <- function(bridge, kind, label, sizes) {
  n <- SIZES[[label]]
  if (length(sizes) > 0L && n > TELLING) {
    one <- sizes[[1L]]$slowest_s
    last <- sizes[[length(sizes)]]
    seconds <- seconds_for(n, one, last$slowest_s, last$n)
    if (seconds > LONGEST_S) {
      # Something else may have had the machine: one measurement is not to decide.
      slowest <- min(last$slowest_s, slowest_of(bridge, kind, last$n))
      seconds <- seconds_for(n, one, slowest, last$n)
    }
    if (seconds > LONGEST_S) {
      kit$refuse("unsupported", sprintf("%s would take about %.0f s a crossing", label, seconds))
    }
  }
  of_size(bridge, kind, label)
}

# Seconds that `n` values would take, by what one took and `last` did.
seconds_for <- function(n, one, slowest, last) {
  # What one value takes does not grow.
  one <- min(one, slowest)
  one + (slowest - one) * n / last
}

# Seconds that the slower crossing of `n` values takes; nothing is said of it.
slowest_of <- function(bridge, kind, n) {
  values <- bridge$prepare(kind, make_values(kind, n))
  max(kit$seconds_of(bridge$put(kind, values)), kit$seconds_of(bridge$get(kind)))
}

# One size of one kind, both ways.
of_size <- function(bridge, kind, label) {
  n <- SIZES[[label]]
  values <- bridge$prepare(kind, make_values(kind, n))
  made <- hash_values(kind, values)
  there <- crossing(bridge, kind, "to_python", label, function() bridge$put(kind, values))
  arrived <- bridge$hash(kind)
  shared_there <- is_shared(bridge, kind, values)
  back <- crossing(bridge, kind, "to_r", label, function() bridge$get(kind))
  got <- back$value
  returned <- hash_values(kind, got)
  list(
    n = n, bytes = n * BYTES[[kind]], made = made, arrived = arrived, returned = returned,
    shared = list(to_python = shared_there, to_r = is_shared(bridge, kind, got)),
    grown_mb = list(to_python = there$grown, to_r = back$grown),
    slowest_s = max(there$wall, back$wall)
  )
}

# Time a crossing as a stage: the first is looked at for its memory, and is the measurement itself
# where it takes long; else it is repeated.
crossing <- function(bridge, kind, direction, label, work) {
  shows <- SIZES[[label]] >= SHOWING
  if (shows) gc()
  mark <- if (shows) mark_memory()
  other <- if (shows && !is.null(bridge$mark)) bridge$mark()
  cpu <- kit$cpu_now()
  wall <- Sys.time()
  value <- work()
  wall <- max(as.numeric(difftime(Sys.time(), wall, units = "secs")), 0)
  cpu <- kit$cpu_now() - cpu
  grown <- if (shows) list(
    host = grown_mb(mark), python = if (!is.null(bridge$grown)) bridge$grown(other)
  )
  name <- paste(kind, direction, label, sep = "_")
  count <- as.integer(max(1, min(MOST, floor(STEADY_S / max(wall, 1e-6)))))
  if (count == 1L) {
    kit$say("stage", probe = "transfer", name = name, wall_s = wall, cpu_s = cpu, n = 1L)
  } else {
    kit$stage("transfer", name, n = count, for (number in seq_len(count)) work())
  }
  list(value = value, wall = wall, grown = grown)
}

# Whether what Python keeps lies in the same memory as R's `values`; NULL where Python is another
# process, or keeps no array.
is_shared <- function(bridge, kind, values) {
  if (is.null(bridge$address)) return(NULL)
  there <- bridge$address(kind)
  if (!is.null(there)) is_within_header(address_of(values), there)
}

# Where an R vector lies in memory, in hexadecimal.
address_of <- function(values) {
  sub("^<pointer: (.*)>$", "\\1", utils::capture.output(print(.Internal(address(values)))))
}

# Whether the second address is that of the data behind the header of a vector at the first.
is_within_header <- function(vector, data) {
  ahead <- as.numeric(data) - as.numeric(vector)
  ahead > 0 && ahead <= 128
}

# --- Where Python is the host ---------------------------------------------------------------------

held <- new.env()

# Make values and keep them; return their hash.
make <- function(kind, n) {
  held$made <- make_values(kind, n)
  hash_values(kind, held$made)
}
made <- function() held$made

# Keep what came back; columns by name are a data frame.
take <- function(values) {
  if (is.list(values) && !is.data.frame(values)) {
    values <- as.data.frame(values, stringsAsFactors = FALSE)
  }
  held$returned <- values
  NULL
}
hash_of_returned <- function(kind) hash_values(kind, held$returned)

# Whether what was `made` or `returned` has its numbers at an address of Python's.
lies_at <- function(name, data) is_within_header(address_of(held[[name]]), data)
