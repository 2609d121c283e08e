# What an R inside a cell needs to start a Python as a process of its own, and to say how it ended.
#
# Load it into an environment beside the kit's, which it uses:
#   child <- new.env(); child$kit <- kit
#   sys.source(file.path(Sys.getenv("HARNESS_KIT"), "child.R"), envir = child)

# Evaluate `expr` with the LD_LIBRARY_PATH that R was started with: R puts the folders of its own
# libraries in front of it, for itself and for every child.
with_libraries_of_caller <- function(asked, expr) {
  mine <- Sys.getenv("LD_LIBRARY_PATH", NA)
  on.exit(if (is.na(mine)) Sys.unsetenv("LD_LIBRARY_PATH") else Sys.setenv(LD_LIBRARY_PATH = mine))
  if (nzchar(asked$caller_ld_library_path)) {
    Sys.setenv(LD_LIBRARY_PATH = asked$caller_ld_library_path)
  } else {
    Sys.unsetenv("LD_LIBRARY_PATH")
  }
  force(expr)
}

# Run a program with system2(), its standard error into a file where one is named; return its exit
# status, 128 + n for signal n. system2() asks a shell. Where that becomes the program itself, as
# bash does where nothing is redirected, R is left with the kernel's word for how it ended (9 for
# SIGKILL), which is no status: so the shell is given something to do when the program has ended.
run <- function(command, arguments, errors = NULL) {
  words <- shQuote(arguments)
  if (!is.null(errors)) words <- c(words, paste0("2>", shQuote(errors)))
  suppressWarnings(system2(command, c(words, "; exit $?")))
}

# Which Python a child turns out to be: version and libpython, or why it did not start.
look <- function(asked) {
  errors <- tempfile("harness-look-")
  on.exit(unlink(errors))
  lines <- suppressWarnings(system2(
    asked$python, c("-E", "-S", shQuote(file.path(Sys.getenv("HARNESS_KIT"), "look.py"))),
    stdout = TRUE, stderr = errors
  ))
  if (!is.null(attr(lines, "status")) || length(lines) != 2L) {
    return(list(version = "none", libpython = kit$last_line(kit$read_text(errors))))
  }
  list(version = lines[[1L]], libpython = lines[[2L]])
}

# Call Python as R would, and as R's caller would; say it where they are not the same Python.
# Returns TRUE where the first is as good as the second.
look_at_libraries <- function(asked) {
  as_r <- look(asked)
  as_caller <- with_libraries_of_caller(asked, look(asked))
  if (identical(as_r, as_caller)) return(TRUE)
  kit$say("finding", id = "libpython-soname-swap-by-R", text = sprintf(
    paste(
      "R exports LD_LIBRARY_PATH=%s to its children, so %s loads %s (Python %s) and not its own",
      "%s (Python %s); the path calls it with the LD_LIBRARY_PATH that R itself was started with"
    ),
    Sys.getenv("LD_LIBRARY_PATH"), asked$python, as_r$libpython, as_r$version,
    as_caller$libpython, as_caller$version
  ))
  FALSE
}

# The phase that the events file names last: the child's, where it ended in the middle.
last_phase <- function() {
  lines <- readLines(Sys.getenv("HARNESS_EVENTS"), warn = FALSE)
  lines <- lines[grepl("\"event\": \"phase\"", lines, fixed = TRUE)]
  kit$from_json(lines[[length(lines)]])$phase
}

# How a child ended, in words, by its exit status (128 + n for signal n).
ending <- function(status) {
  if (status < 128L) return(sprintf("exit status %d", status))
  names <- c("6" = "SIGABRT", "9" = "SIGKILL", "11" = "SIGSEGV", "15" = "SIGTERM", "4" = "SIGILL",
    "7" = "SIGBUS", "8" = "SIGFPE")
  number <- as.character(status - 128L)
  sprintf("signal %s", if (number %in% names(names)) names[[number]] else number)
}
