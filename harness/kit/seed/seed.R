# The probe `seed`: documented examples, run as they are written and as corrected.
#
# A script is run statement by statement. Where one fails, the corrections of corrections.R are
# tried on it one at a time: the first that makes it pass, or fail in another way, was what the
# error was about; then the statement runs on to its next error. What is corrected in the end is
# run again as a whole.

seed_folder <- file.path(Sys.getenv("HARNESS_KIT"), "seed")
for (seed_file in c("corrections.R", "examples.R", "formats.R")) {
  sys.source(file.path(seed_folder, seed_file), envir = environment())
}

# Characters of an error and of a script's output that are kept.
ERROR_LIMIT <- 600L
OUTPUT_LIMIT <- 4000L

# Returns the details of the probe: `examples`, an object by id, and on `system` the `formats`.
seed_probe <- function(kit, asked) {
  kit$need_framework(asked)
  mine <- Filter(function(example) example$path == asked$path, examples)
  details <- list(examples = kit$nothing())
  for (example in mine) {
    kit$phase("train")
    tried <- kit$stage("seed", example$id, try_example(kit, asked, example))
    details$examples[[example$id]] <- tried
  }
  if (asked$path == "system") {
    kit$phase("convert")
    called <- details$examples[["system-call"]]
    details$formats <- if (called$as_corrected$status == "pass") try_formats(kit, asked) else list()
  }
  details
}

# One example, from its text to what became of it.
try_example <- function(kit, asked, example) {
  absent <- Filter(function(name) !reticulate::py_module_available(name), example$modules)
  if (length(absent) > 0L) {
    reason <- paste("the cell has no", paste(absent, collapse = ", "))
    return(list(unsupported = reason))
  }
  # In the cell's own folder, as a user has it in theirs.
  script <- file.path(Sys.getenv("HARNESS_CELL"), "python_script.py")
  file.copy(file.path(seed_folder, "python_script.py"), script, overwrite = TRUE)
  stands_for <- list("{python}" = asked$python, "{script}" = script)
  put_in <- function(text) {
    for (name in names(stands_for)) text <- gsub(name, stands_for[[name]], text, fixed = TRUE)
    text
  }
  written <- readLines(
    file.path(seed_folder, "examples", paste0(example$id, ".R")), encoding = "UTF-8"
  )
  filled <- lapply(example$fill, put_in)
  for (name in names(filled)) written <- gsub(name, filled[[name]], written, fixed = TRUE)
  known <- lapply(corrections, function(one) {
    one$replacement <- put_in(one$replacement)
    one
  })
  search <- list(kit = kit, example = example, known = known)
  found <- run_on(search, written, scope(kit))
  findings <- lapply(found$accepted, finding_of, written = written)
  for (finding in findings) say_finding(kit, example, finding)
  again <- if (is.null(found$unexplained)) {
    run_whole(search, found$lines)
  } else {
    list(status = "fail", message = found$unexplained$message)
  }
  first <- if (length(findings) > 0L) findings[[1L]] else found$unexplained
  list(
    filled = filled,
    as_written = list(
      status = if (is.null(first)) "pass" else "fail", line = first$line, message = first$message
    ),
    findings = findings, unexplained = found$unexplained, as_corrected = again,
    corrected = paste(found$lines, collapse = "\n")
  )
}

# What a script finds when it begins: nothing but the data, as a user would have made them.
scope <- function(kit) {
  parts <- kit$split_data(kit$make_data())
  scope <- new.env(parent = globalenv())
  scope$x_train <- parts$x_train
  # One column a class: what `categorical_crossentropy` takes.
  scope$y_train <- diag(kit$CLASSES)[parts$y_train + 1L, ]
  scope
}

# --- One statement --------------------------------------------------------------------------

# The statements of `lines`, each with its first and last line; or what the parser says.
statements_of <- function(lines) {
  parsed <- tryCatch(parse(text = lines, keep.source = TRUE), error = identity)
  if (inherits(parsed, "error")) {
    said <- conditionMessage(parsed)
    one_line <- function(text) trimws(gsub("[[:space:]]+", " ", text))
    row <- as.integer(sub("^<text>:([0-9]+):.*$", "\\1", strsplit(said, "\n")[[1L]][[1L]]))
    return(list(error = list(message = one_line(said), row = row)))
  }
  places <- lapply(attr(parsed, "srcref"), function(place) place[c(1L, 3L)])
  list(code = parsed, places = places)
}

# Run one statement in `scope`: `error` (NULL or its `message`), `value`, `output`.
run_statement <- function(search, code, scope) {
  kit <- search$kit
  value <- NULL
  said <- character()
  python <- ""
  run <- function() {
    shown <- utils::capture.output({
      seen <- withVisible(eval(code, scope))
      value <<- seen$value
      if (seen$visible) print(seen$value)
    })
    said <<- shown
  }
  failed <- tryCatch(
    {
      if (search$example$path == "reticulate") {
        # Python writes past R's sink.
        python <- reticulate::py_capture_output(run(), type = "stdout")
      } else {
        run()
      }
      NULL
    },
    error = identity
  )
  shown <- c(python, said)
  ran <- list(value = value, output = paste(shown[nzchar(shown)], collapse = "\n"))
  text <- paste(deparse(code), collapse = "\n")
  message <- if (!is.null(failed)) message_of(kit, failed)
  for (check in search$example$checks) {
    if (is.null(message) && grepl(check$pattern, text) && !isTRUE(check$holds(ran))) {
      message <- if (is.function(check$otherwise)) check$otherwise(ran) else check$otherwise
    }
  }
  if (!is.null(message)) {
    # An address in memory is another each time: the same failure must read the same.
    message <- gsub("0x[0-9a-f]+", "0x...", kit$one_line(message))
    ran$error <- list(message = substr(message, 1L, ERROR_LIMIT))
  }
  ran
}

# An error in one line, as R shows it, without what R knows of the place.
message_of <- function(kit, condition) {
  python <- tryCatch(kit$state$python_error(condition), error = function(e) NULL)
  kit$one_line(if (is.null(python)) conditionMessage(condition) else python$headline)
}

# --- Corrections ----------------------------------------------------------------------------

# Every way to correct one thing in some rows of `lines`.
candidates <- function(search, lines, rows) {
  found <- list()
  for (correction in search$known) {
    for (row in rows) {
      if (!grepl(correction$pattern, lines[[row]], perl = TRUE)) next
      found <- c(found, list(list(correction = correction, row = row)))
    }
  }
  found
}

# `lines` with a correction made.
corrected <- function(lines, candidate) {
  correction <- candidate$correction
  row <- candidate$row
  lines[[row]] <- sub(correction$pattern, correction$replacement, lines[[row]], perl = TRUE)
  lines
}

# The first candidate with which a statement passes, or fails in other words. Failing in the same
# words with another number comes second: correcting a 784 that is wrong in two ways changes the
# number, and so does going on to the next argument of the same name.
first_better <- function(candidates, lines, outcome, error) {
  words <- function(message) gsub("[0-9]+(\\.[0-9]+)?", "#", message)
  second <- NULL
  for (candidate in candidates) {
    then <- outcome(corrected(lines, candidate))
    if (is.null(then) || words(then$message) != words(error$message)) {
      return(c(candidate, list(then = then)))
    }
    if (is.null(second) && then$message != error$message) {
      second <- c(candidate, list(then = then))
    }
  }
  second
}

# Correct `rows` of `lines` until outcome(lines) is NULL, one correction after the other. Returns
# `lines`, the `accepted` corrections, and the `error` that is left.
correct <- function(search, lines, rows, outcome, error) {
  begin <- lines
  accepted <- list()
  while (!is.null(error)) {
    better <- first_better(candidates(search, lines, rows), lines, outcome, error)
    if (is.null(better)) break
    better$message <- error$message
    better$before <- lines[[better$row]]
    lines <- corrected(lines, better)
    better$after <- lines[[better$row]]
    accepted <- c(accepted, list(better))
    error <- better$then
  }
  if (is.null(error) && length(accepted) > 1L) {
    accepted <- necessary(begin, accepted, outcome)
    lines <- Reduce(corrected, accepted, begin)
    # The last attempt left something behind: what counts is the statement as it stands now.
    error <- outcome(lines)
  }
  list(lines = lines, accepted = accepted, error = error)
}

# Those corrections without which the others do not do.
necessary <- function(begin, accepted, outcome) {
  at <- 1L
  while (at <= length(accepted) && length(accepted) > 1L) {
    others <- accepted[-at]
    if (is.null(outcome(Reduce(corrected, others, begin)))) accepted <- others else at <- at + 1L
  }
  accepted
}

# Run a script in `scope`, statement by statement, correcting each. Returns the corrected `lines`,
# the `accepted` corrections, and what was `unexplained`: NULL, or `line`, `source`, `message`.
run_on <- function(search, lines, scope) {
  accepted <- list()
  stop_at <- function(row, error) {
    list(
      lines = lines, accepted = accepted,
      unexplained = list(line = row, source = trimws(lines[[row]]), message = error$message)
    )
  }
  repeat {
    parsed <- statements_of(lines)
    if (is.null(parsed$error)) break
    row <- parsed$error$row
    fixed <- correct(search, lines, row, function(lines) statements_of(lines)$error, parsed$error)
    if (length(fixed$accepted) == 0L) return(stop_at(row, parsed$error))
    lines <- fixed$lines
    accepted <- c(accepted, fixed$accepted)
  }
  for (at in seq_along(parsed$code)) {
    rows <- seq(parsed$places[[at]][[1L]], parsed$places[[at]][[2L]])
    outcome <- function(lines) {
      run_statement(search, parse(text = lines)[[at]], scope)$error
    }
    error <- outcome(lines)
    if (is.null(error)) next
    fixed <- correct(search, lines, rows, outcome, error)
    lines <- fixed$lines
    accepted <- c(accepted, fixed$accepted)
    if (!is.null(fixed$error)) return(stop_at(rows[[1L]], fixed$error))
  }
  list(lines = lines, accepted = accepted, unexplained = NULL)
}

# Run a corrected script from its beginning, in a scope of its own.
run_whole <- function(search, lines) {
  scope <- scope(search$kit)
  output <- character()
  for (code in as.list(parse(text = lines))) {
    ran <- run_statement(search, code, scope)
    output <- c(output, ran$output[nzchar(ran$output)])
    if (!is.null(ran$error)) return(list(status = "fail", message = ran$error$message))
  }
  output <- as_on_paper(output)
  cat(output, "", sep = "\n")
  ended <- list(status = "pass", output = search$kit$tail_of(output, OUTPUT_LIMIT))
  if (search$example$trains) {
    history <- scope$model$history$history
    ended$losses <- as.list(as.numeric(unlist(history$loss)))
    ended$accuracy <- utils::tail(as.numeric(unlist(history$accuracy)), 1L)
  }
  ended
}

# Output without what only a terminal understands: colours, and bars drawn over one another.
as_on_paper <- function(text) {
  text <- gsub("\033\\[[0-9;]*[A-Za-z]", "", paste(text, collapse = "\n"))
  lines <- strsplit(gsub("\b", "", text, fixed = TRUE), "\n", fixed = TRUE)[[1L]]
  trimws(sub("^.*\r", "", lines), "right")
}

# --- What is said ---------------------------------------------------------------------------

# A correction as a finding: where, what, why, and what to write instead.
finding_of <- function(accepted, written) {
  correction <- accepted$correction
  matched <- regmatches(
    accepted$before, regexpr(correction$pattern, accepted$before, perl = TRUE)
  )
  change <- function(replacement) sub(correction$pattern, replacement, matched, perl = TRUE)
  list(
    line = accepted$row, source = trimws(written[[accepted$row]]),
    argument = change(correction$argument), cause = correction$cause,
    meaning = correction$meaning, message = accepted$message, correction = correction$id,
    written = matched, instead = change(correction$replacement),
    corrected_line = trimws(accepted$after)
  )
}

say_finding <- function(kit, example, finding) {
  kit$say("finding", id = finding$cause, text = sprintf(
    "example %s, line %d: %s (%s); write %s instead of %s", example$id, finding$line,
    finding$meaning, finding$message, finding$instead, finding$written
  ))
}
