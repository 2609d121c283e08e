# The documented examples: which file, on which path, what a reader fills in, and what must be
# seen where a statement could fail without an error. Data for seed.R.
#
# The files in `examples` are the article's code as it is printed, line for
# line. `fill` are the placeholders that every reader must replace; {python} and {script} stand
# for the cell's Python and for python_script.py. `modules` must be there. A `check` belongs to
# the statements that match `pattern`: `holds(ran)` looks at the list `value`, `output`.

examples <- list(
  list(
    id = "tensorflow-version", path = "reticulate", modules = "tensorflow", fill = list(),
    trains = FALSE,
    checks = list(list(
      pattern = "^print\\(", holds = function(ran) grepl("[0-9]+\\.[0-9]+", ran$output),
      otherwise = "prints no version"
    ))
  ),
  list(
    id = "keras-model", path = "reticulate", modules = "keras",
    fill = list("/path/to/your/python" = "{python}"), trains = TRUE,
    checks = list(list(
      pattern = "summary", holds = function(ran) grepl("Total params", ran$output),
      otherwise = function(ran) {
        paste("no error, and no summary of the model, but:", substr(trimws(ran$output), 1L, 100L))
      }
    ))
  ),
  list(
    id = "system-call", path = "system", modules = character(),
    fill = list("/path/to/your/python_script.py" = "{script}"), trains = FALSE,
    checks = list(list(
      pattern = "^system\\(", holds = function(ran) identical(ran$value, 0L),
      otherwise = function(ran) {
        paste("no error, and R goes on, but the command ended with status", ran$value)
      }
    ))
  )
)
