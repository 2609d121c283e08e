# What may be wrong with a line of a documented example, and the smallest change that puts it
# right. Data: seed.R tries them, one at a time and in this order, on a statement that fails.
#
# `pattern` (Perl's regular expressions) is looked for in the lines of the statement; `argument`
# is what it is about, where \\1 is a part of what was found; {python} in a replacement stands
# for the cell's Python. `cause` is an id of the catalogue of causes, `meaning` what it is here.

corrections <- list(
  list(
    id = "backticks", pattern = "(\\w+)\\$(__\\w+__)", replacement = "\\1$`\\2`",
    argument = "\\2", cause = "underscore-name-unquoted",
    meaning = "a name that begins with an underscore is no name in R, so the script is not parsed"
  ),
  list(
    id = "integer-units", pattern = "(units) = (\\d+)(?![\\dL])", replacement = "\\1 = \\2L",
    argument = "\\1", cause = "double-not-integer",
    meaning = "a number of R is a double, and arrives as a float where an integer is asked"
  ),
  list(
    id = "list-input-shape", pattern = "(input_shape) = c\\((\\d+L?)\\)",
    replacement = "\\1 = list(\\2)", argument = "\\1", cause = "input-shape-scalar-collapse",
    meaning = "a vector of length one arrives as a scalar where a tuple is asked"
  ),
  list(
    id = "integer-input-shape", pattern = "(input_shape) = (c|list)\\((\\d+)\\)",
    replacement = "\\1 = \\2(\\3L)", argument = "\\1", cause = "double-not-integer",
    meaning = "a number of R is a double, and arrives as a float where an integer is asked"
  ),
  list(
    id = "list-metrics", pattern = "(metrics) = c\\((\"[^\"]*\")\\)",
    replacement = "\\1 = list(\\2)", argument = "\\1", cause = "single-string-not-list",
    meaning = "a character vector of length one arrives as a string where a list is asked"
  ),
  list(
    id = "integer-epochs", pattern = "(epochs) = (\\d+)(?![\\dL])", replacement = "\\1 = \\2L",
    argument = "\\1", cause = "double-not-integer",
    meaning = "a number of R is a double, and arrives as a float where an integer is asked"
  ),
  list(
    id = "method-summary", pattern = "(summary)\\((\\w+)\\)", replacement = "\\2$\\1()",
    argument = "\\1", cause = "generic-not-method",
    meaning = "R's generic summary() knows nothing of Keras, whose models have a method of the name"
  ),
  list(
    id = "python-by-path", pattern = "system\\(\"(python) ([^\"]*)\"\\)",
    replacement = "system(\"{python} \\2\")", argument = "\\1",
    cause = "sys-python-not-on-path",
    meaning = "the shell finds no `python`, or another one than the one with the packages"
  ),
  list(
    id = "libraries-of-caller", pattern = "system\\(\"(/[^\"]*)\"\\)",
    replacement = "system(\"env -u LD_LIBRARY_PATH \\1\")", argument = "LD_LIBRARY_PATH",
    cause = "libpython-soname-swap-by-R",
    meaning = "R's LD_LIBRARY_PATH makes its children load another libpython than their own"
  )
)
