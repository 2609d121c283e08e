# What the doctor has R do where Python is a process of its own: the paths `system` and `rpc`.

layers <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_DOCTOR"), "layers.R"), envir = layers)
kit <- layers$kit
asked <- layers$asked
layer <- layers$layer
program <- file.path(Sys.getenv("HARNESS_DOCTOR"), "native.py")

layers$start()
python <- layer("command", {
  wanted <- if (nzchar(asked$python)) asked$python else c("python3", "python")
  found <- Filter(nzchar, Sys.which(wanted))
  # Sys.which() knows no file that lies outside of PATH, unless it is named with its folder.
  if (length(found) == 0L) {
    # What a user's own call prints: the shell's words, and R's warning.
    system2(wanted[[1L]], "--version")
    stop("error in running command: ", wanted[[1L]], call. = FALSE)
  }
  unname(found[[1L]])
})
kit$say("config", python = python)

# What Python's layers say goes into the same file; where it fails, it has said so itself.
ended <- function(status) {
  # The status is what running Python gives: not before it has run are its events there.
  force(status)
  lines <- readLines(Sys.getenv("HARNESS_EVENTS"), warn = FALSE)
  if (status != 0L || !any(grepl("\"event\": \"finished\"", lines, fixed = TRUE))) {
    quit(save = "no", status = if (status == 0L) 21L else status %% 256L)
  }
}

if (asked$path == "system") {
  ended(suppressWarnings(system2(python, shQuote(c(program, "work")))))
} else {
  # A port that is free now; another program may take it, so several are tried.
  server <- NULL
  for (port in sample(20000:60000, 20L)) {
    server <- tryCatch(serverSocket(port), error = function(e) NULL)
    if (!is.null(server)) break
  }
  if (is.null(server)) layer("connect", stop("no port can be listened to"))
  system2(python, shQuote(c(program, "serve", port)), wait = FALSE)
  line <- layer("connect", socketAccept(server, blocking = TRUE, open = "r+", timeout = 60L))
  close(server)
  writeLines("numbers 0.1 2.5 -3", line)
  answer <- readLines(line, n = 1L)
  right <- identical(as.numeric(sub("^sum ", "", answer)), 0.1 + 2.5 - 3)
  writeLines(if (right) "right" else "wrong", line)
  socketTimeout(line, 100000L)
  last <- readLines(line, n = 1L)
  close(line)
  ended(if (identical(last, "done")) 0L else 21L)
}
layers$done()
