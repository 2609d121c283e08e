# reticulate's own tests, in an R of their own: driver.R calls this with the folder of the tests,
# the file to which the counts are to go, as JSON, and the one for the test that is under way.
#
# Run as its makers run them: on CRAN nearly all of them skip themselves.

arguments <- commandArgs(TRUE)
folder <- arguments[[1L]]
kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)

# How many failures are told of, and how much of each message.
MOST_FAILURES <- 20L
MOST_CHARACTERS <- 500L

Sys.setenv(NOT_CRAN = "true")
library(testthat)
library(reticulate)

# Says each test as it begins, on standard error, which is kept whatever happens; and keeps the
# name, so that a test can be named that puts an end to the process.
Progress <- R6::R6Class("Progress", inherit = LocationReporter, public = list(
  start_test = function(context, test) {
    writeLines(test, arguments[[3L]])
    super$start_test(context, test)
  }
))
results <- test_dir(
  folder, package = "reticulate", load_package = "installed",
  reporter = Progress$new(file = stderr()), stop_on_failure = FALSE
)

# The expectations of a test that did not hold, and what it came to: the worst of them.
of_class <- function(test, class) Filter(function(one) inherits(one, class), test$results)
outcome_of <- function(test) {
  if (length(of_class(test, "expectation_error")) > 0L) return("errors")
  if (length(of_class(test, "expectation_failure")) > 0L) return("failed")
  if (length(of_class(test, "expectation_skip")) > 0L) return("skipped")
  "passed"
}
outcomes <- vapply(results, outcome_of, "")
count <- function(outcome) sum(outcomes == outcome)

bad <- results[outcomes %in% c("errors", "failed")]
failures <- lapply(utils::head(bad, MOST_FAILURES), function(test) {
  first <- c(of_class(test, "expectation_error"), of_class(test, "expectation_failure"))[[1L]]
  list(
    name = paste0(test$file, "::", test$test),
    message = substr(kit$tail_of(conditionMessage(first)), 1L, MOST_CHARACTERS)
  )
})
details <- list(
  total = length(outcomes), passed = count("passed"), failed = count("failed"),
  skipped = count("skipped"), errors = count("errors"), failures = failures
)
writeLines(kit$json(details), arguments[[2L]], useBytes = TRUE)
