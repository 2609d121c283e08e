# What the doctor has R do over reticulate: one child for every layer, in the user's own
# environment, with an event for each, so that whatever ends the process is blamed on its layer.
#
# Nothing of the user's is changed: where reticulate would fetch or make something, it is kept
# from it, and what it would have done is said instead.

layers <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_DOCTOR"), "layers.R"), envir = layers)
kit <- layers$kit
asked <- layers$asked
layer <- layers$layer

# The Python error behind an R error, from reticulate's own memory of it.
layers$python_error <- function(condition) {
  if (!("reticulate" %in% loadedNamespaces()) || !reticulate::py_available()) return(NULL)
  last <- reticulate::py_last_error()
  if (is.null(last) || !grepl(last$type, conditionMessage(condition), fixed = TRUE)) return(NULL)
  text <- last$message
  if (!grepl("Traceback", text, fixed = TRUE)) {
    text <- c(last$traceback, paste0(last$type, ": ", last$value))
  }
  list(type = last$type, value = last$value, traceback = paste(text, collapse = "\n"))
}

# --- What reticulate must not do here ----------------------------------------------------------

# Each command that reticulate ran to learn of a Python, with what it printed: its standard error,
# which reticulate throws away, too. The same question is answered once.
commands <- list()
remembering_system2 <- function(command, args = character(), stdout = "", stderr = "", ...) {
  key <- paste(c(command, args, Sys.getenv("RETICULATE_REQUIRED_MODULE")), collapse = " ")
  if (is.null(commands[[key]])) {
    kept <- tempfile("harness-doctor-")
    on.exit(unlink(kept))
    said <- tryCatch(
      suppressWarnings(base::system2(command, args, stdout = TRUE, stderr = kept, ...)),
      error = identity
    )
    errors <- if (file.exists(kept)) kit$tail_of(readLines(kept, warn = FALSE)) else ""
    failed <- inherits(said, "error")
    status <- if (failed) 127L else attr(said, "status")
    kit$say(
      "probe", command = command, args = as.list(args),
      status = if (is.null(status)) 0L else status, errors = errors,
      output = if (failed) conditionMessage(said) else kit$tail_of(said, 2000L)
    )
    commands[[key]] <<- list(said = said)
  }
  said <- commands[[key]]$said
  if (inherits(said, "error")) stop(said)
  said
}

# What reticulate would do beyond looking: said, and not done.
foresee <- function(what, ...) {
  kit$say("foreseen", what = what, ...)
  NULL
}

# As Sys.which(), which starts a shell and a program for each name.
on_path <- function(name) {
  folders <- strsplit(Sys.getenv("PATH"), .Platform$path.sep, fixed = TRUE)[[1L]]
  files <- file.path(ifelse(nzchar(folders), folders, "."), name)
  found <- files[file.access(files, 1L) == 0L & !dir.exists(files)]
  if (length(found) == 0L) "" else found[[1L]]
}

# The uv that reticulate would take without fetching one; NULL where there is none.
uv_here <- function(namespace) {
  places <- c(
    Sys.getenv("RETICULATE_UV"), getOption("reticulate.uv_binary", ""), on_path("uv"),
    path.expand("~/.local/bin/uv"),
    tryCatch(namespace$reticulate_cache_dir("uv", "bin", "uv"), error = function(e) "")
  )
  places <- places[nzchar(places) & places != "managed" & file.exists(places)]
  if (length(places) == 0L) NULL else places[[1L]]
}

replace_in <- function(namespace, name, value) {
  if (!exists(name, namespace, inherits = FALSE)) return(invisible())
  unlockBinding(name, namespace)
  assign(name, value, namespace)
  lockBinding(name, namespace)
}

guard_bridge <- function() {
  namespace <- asNamespace("reticulate")
  # The same body, with another system2: nothing else about it is known here.
  probe <- namespace$python_config_impl
  if (is.function(probe)) {
    around <- new.env(parent = environment(probe))
    around$system2 <- remembering_system2
    environment(probe) <- around
    replace_in(namespace, "python_config_impl", probe)
  }
  make <- namespace$uv_get_or_create_env
  if (is.function(make)) replace_in(namespace, "uv_get_or_create_env", function(...) {
    uv <- uv_here(namespace)
    wanted <- tryCatch(namespace$py_reqs_get("packages"), error = function(e) NULL)
    python <- tryCatch(namespace$py_reqs_get("python_version"), error = function(e) NULL)
    found <- NULL
    if (!is.null(uv)) {
      # What is in uv's cache may be used; nothing may be fetched.
      old <- Sys.getenv(c("UV_OFFLINE", "UV_PYTHON_DOWNLOADS"), NA)
      Sys.setenv(UV_OFFLINE = "1", UV_PYTHON_DOWNLOADS = "never")
      on.exit({
        Sys.unsetenv(names(old)[is.na(old)])
        if (any(!is.na(old))) do.call(Sys.setenv, as.list(old[!is.na(old)]))
      })
      replace_in(namespace, "uv_binary", function(...) uv)
      found <- tryCatch(make(...), error = function(e) NULL)
    }
    if (is.null(found)) {
      foresee("uv", uv = uv, packages = as.list(wanted), python = as.list(python))
    }
    found
  })
  for (name in c("conda_create", "conda_clone", "conda_install", "virtualenv_create",
                 "virtualenv_install", "install_miniconda", "miniconda_install_prompt")) {
    local({
      what <- name
      replace_in(namespace, what, function(...) {
        foresee(what)
        stop("reticulate would call ", what, "() here, which the doctor does not", call. = FALSE)
      })
    })
  }
}

# --- The order of discovery ---------------------------------------------------------------------

# A rung of the order: how the code of py_discover_config() shows that it has it, and what it
# answers here. `answer()` gives NULL where it says nothing, or a list with `text` and `python`.
variable <- function(name) function() {
  value <- Sys.getenv(name, NA)
  if (is.na(value)) return(list(text = paste(name, "is not set")))
  list(text = paste0(name, "=", value), python = value)
}
environment_python <- function(folder) {
  if (!nzchar(folder)) return(NULL)
  python <- file.path(folder, "bin", "python")
  if (file.exists(python)) python else NULL
}
virtualenv_home <- function() Sys.getenv("WORKON_HOME", unset = "~/.virtualenvs")
named_environment <- function(name) environment_python(file.path(virtualenv_home(), name))

rungs <- function(module) {
  list(
    list(id = "current-process", mark = "main_process_python_info",
      what = "the Python that already runs in this process",
      answer = function() list(text = "R was not started by a Python")),
    list(id = "PYTHON_SESSION_INITIALIZED", mark = "py_session_initialized_binary",
      what = "PYTHON_SESSION_INITIALIZED", answer = variable("PYTHON_SESSION_INITIALIZED")),
    list(id = "RETICULATE_PYTHON", mark = "\"RETICULATE_PYTHON\"",
      what = "RETICULATE_PYTHON", answer = variable("RETICULATE_PYTHON")),
    list(id = "RETICULATE_PYTHON_ENV", mark = "\"RETICULATE_PYTHON_ENV\"",
      what = "RETICULATE_PYTHON_ENV", answer = function() {
        value <- Sys.getenv("RETICULATE_PYTHON_ENV", NA)
        if (is.na(value)) return(list(text = "RETICULATE_PYTHON_ENV is not set"))
        python <- if (grepl("/", value)) environment_python(value) else named_environment(value)
        list(text = paste0("RETICULATE_PYTHON_ENV=", value), python = python)
      }),
    list(id = "use_python", mark = "required_python_version",
      what = "use_python(), use_virtualenv(), use_condaenv()", answer = function() {
        required <- asNamespace("reticulate")$.globals$required_python_version
        if (is.null(required)) return(list(text = "nothing was asked for before this point"))
        list(text = paste("asked for", required), python = required)
      }),
    list(id = "managed", mark = "RETICULATE_USE_MANAGED_VENV",
      what = "RETICULATE_USE_MANAGED_VENV=yes", answer = function() {
        value <- Sys.getenv("RETICULATE_USE_MANAGED_VENV")
        if (!nzchar(value)) return(list(text = "RETICULATE_USE_MANAGED_VENV is not set"))
        list(text = paste0("RETICULATE_USE_MANAGED_VENV=", value))
      }),
    list(id = "VIRTUAL_ENV", mark = "\"VIRTUAL_ENV\"",
      what = "VIRTUAL_ENV, an activated virtual environment", answer = function() {
        value <- Sys.getenv("VIRTUAL_ENV", NA)
        if (is.na(value)) return(list(text = "no virtual environment is active"))
        list(text = paste0("VIRTUAL_ENV=", value), python = environment_python(value))
      }),
    list(id = "poetry", mark = "poetry_config", what = "pyproject.toml with a poetry environment",
      answer = function() list(text = if (file.exists("pyproject.toml")) {
        "pyproject.toml is here"
      } else "no pyproject.toml here")),
    list(id = "pipenv", mark = "pipenv_config", what = "Pipfile",
      answer = function() list(text = if (file.exists("Pipfile")) {
        "a Pipfile is here"
      } else "no Pipfile here")),
    list(id = "here", mark = "\"./venv\"", what = "a virtual environment in the working folder",
      answer = function() {
        for (folder in c("venv", "virtualenv", ".venv", ".virtualenv")) {
          if (dir.exists(folder)) {
            python <- environment_python(file.path(getwd(), folder))
            text <- if (is.null(python)) "is there and is no virtual environment" else "is there"
            return(list(text = paste(folder, text), python = python))
          }
        }
        list(text = "no venv, .venv, virtualenv or .virtualenv here")
      }),
    list(id = "hint", mark = "reticulate_python_versions",
      what = "use_python(required = FALSE), as packages do while they load", answer = function() {
        hints <- asNamespace("reticulate")$.globals$use_python_versions
        if (length(hints) == 0L) return(list(text = "no package asked for one"))
        list(text = paste("asked for", paste(hints, collapse = ", ")), python = hints[[1L]])
      }),
    list(id = "module-environment", mark = "\"r-\"",
      what = "a virtual environment named for the module", answer = function() {
        if (is.null(module)) return(list(text = "no module was named"))
        name <- paste0("r-", module)
        python <- named_environment(name)
        found <- if (is.null(python)) "no environment" else "environment"
        list(text = paste(found, name, "in", virtualenv_home()), python = python)
      }),
    list(id = "RETICULATE_PYTHON_FALLBACK", mark = "\"RETICULATE_PYTHON_FALLBACK\"",
      what = "RETICULATE_PYTHON_FALLBACK", answer = variable("RETICULATE_PYTHON_FALLBACK")),
    list(id = "r-reticulate", mark = "\"r-reticulate\"",
      what = "an environment named r-reticulate", answer = function() {
        python <- named_environment("r-reticulate")
        found <- if (is.null(python)) "no environment" else "environment"
        list(text = paste(found, "r-reticulate in", virtualenv_home()), python = python)
      }),
    list(id = "miniconda", mark = "miniconda_conda", what = "reticulate's own miniconda",
      answer = function() {
        conda <- tryCatch(asNamespace("reticulate")$miniconda_conda(), error = function(e) "")
        list(text = if (file.exists(conda)) paste(conda, "is there") else "it is not installed")
      }),
    list(id = "conda", mark = "conda_installed", what = "conda", answer = function() {
      conda <- on_path("conda")
      list(text = if (nzchar(conda)) paste(conda, "is on PATH") else "no conda on PATH")
    }),
    list(id = "py_require", mark = "user_opted_out", what = "an environment that uv makes",
      answer = function() {
        value <- Sys.getenv("RETICULATE_USE_MANAGED_VENV")
        if (tolower(value) %in% c("no", "false", "0")) {
          return(list(text = paste0("RETICULATE_USE_MANAGED_VENV=", value, " forbids it")))
        }
        uv <- uv_here(asNamespace("reticulate"))
        list(text = if (is.null(uv)) "uv is not here and would be fetched" else paste("uv is", uv))
      }),
    list(id = "PATH", mark = "Sys.which(\"python3\")", what = "python3 and python on PATH",
      answer = function() {
        found <- c(on_path("python3"), on_path("python"))
        found <- found[nzchar(found)]
        if (length(found) == 0L) return(list(text = "there is none on PATH"))
        list(text = paste(found, collapse = ", "), python = found[[1L]])
      }),
    list(id = "places", mark = "(py_discover_config_fallbacks|\"/usr/bin/python3\")",
      what = "usual places: /usr/bin, /usr/local/bin, /opt", answer = function() {
        found <- Filter(file.exists, c("/usr/bin/python3", "/usr/local/bin/python3"))
        if (length(found) == 0L) return(list(text = "there is none"))
        list(text = paste(found, collapse = ", "), python = found[[1L]])
      })
  )
}

# Say what each rung answers, in the order of this very version: read out of its own code.
say_rungs <- function(module) {
  code <- paste(deparse(asNamespace("reticulate")$py_discover_config), collapse = "\n")
  place <- function(rung) {
    fixed <- !startsWith(rung$mark, "(")
    at <- regexpr(rung$mark, code, fixed = fixed, perl = !fixed)[[1L]]
    if (at < 0L) NA else at
  }
  known <- rungs(module)
  at <- vapply(known, place, 1)
  for (rung in known[order(at, na.last = NA)]) {
    answer <- tryCatch(rung$answer(), error = function(e) list(text = conditionMessage(e)))
    kit$say("rung", id = rung$id, what = rung$what, answer = answer$text, python = answer$python)
  }
}

# --- Layers -------------------------------------------------------------------------------------

layers$start()
module <- if (nzchar(asked$framework)) asked$framework else NULL

layer("bridge", {
  folder <- find.package("reticulate")
  kit$say("facts", facts = list(
    "bridge.name" = "reticulate",
    "bridge.version" = utils::packageDescription("reticulate", dirname(folder), "Version")
  ))
  suppressPackageStartupMessages(library(reticulate))
  guard_bridge()
  folder
})
layers$finish_where("bridge")

layer("discovery", {
  if (nzchar(asked$python)) use_python(asked$python, required = TRUE)
  say_rungs(module)
  config <- local({
    old <- options(reticulate.python.initializing = TRUE)
    on.exit(options(old))
    py_discover_config(module)
  })
  if (!is.null(config)) {
    kit$say(
      "config", python = config$python, libpython = unname(config$libpython),
      version = as.character(config$version), version_string = config$version_string,
      forced = config$forced, pythonhome = config$pythonhome,
      numpy = if (is.null(config$numpy)) NULL else as.character(config$numpy$version),
      executable = config$executable, virtualenv = config$virtualenv,
      module = config$required_module_path
    )
  }
  # Where it names none, what reticulate does next fails in its own words, and none is found.
  if (is.null(config)) asNamespace("reticulate")$ensure_python_initialized(module)
  config$python
})
layers$finish_where("discovery")

layer("python", {
  start <- asNamespace("reticulate")$ensure_python_initialized
  start(required_module = module)
  py <- import_from_path("harness_doctor", Sys.getenv("HARNESS_DOCTOR"))
  py$watch()
  NULL
})
layers$finish_where("python")

layer("identity", {
  identity <- py$identity()
  identity$libpython <- as.list(identity$libpython)  # a list of one arrives as the text alone
  kit$say("identity", identity = identity)
  NULL
})

installed <- unlist(py$installed(as.list(c("numpy", strsplit(asked$frameworks, ",")[[1L]]))))
framework <- py$choose(as.list(installed), asked$framework)
kit$say("installed", modules = as.list(installed), framework = framework)
if (nzchar(asked$framework) && !(asked$framework %in% installed)) {
  layer("framework", import(asked$framework, delay_load = FALSE))
}

layer("numpy", py$numpy())
layers$finish_where("numpy")

layer("convert", {
  # Whole numbers and fractions, more rows than columns: an order mixed up cannot go unseen.
  truth <- matrix(c(1, 2.5, -3, 4, 5e300, 6), nrow = 3L)
  there <- r_to_py(truth)
  seen <- py$matrix(there)
  if (!identical(seen, "ok")) stop("a matrix arrives in Python as ", seen, call. = FALSE)
  back <- py_to_r(there)
  if (!identical(back, truth)) {
    stop("a matrix comes back from Python as another: ", kit$one_line(deparse(back)), call. = FALSE)
  }
  kit$say("silent", lost = layers$silent(
    py$written(r_to_py(NA)), py$written(r_to_py(NA_integer_)), py$written(r_to_py(NA_character_)),
    py$big()
  ))
  NULL
})
layers$finish_where("convert")

if (!is.null(framework)) {
  layer("framework", {
    loaded <- import(framework, delay_load = FALSE)
    version <- py$version(framework)
    kit$say("facts", facts = list("framework.name" = framework, "framework.version" = version))
    version
  })
  layers$finish_where("framework")
  layer("device", {
    device <- py$device(framework)
    kit$say("device", device = device)
    NULL
  })
  left <- matrix(c(1, 3, 2, 4), nrow = 2L)
  layer("op", {
    product <- py$op(framework, left, left)
    if (!isTRUE(all.equal(as.numeric(unlist(product)), c(7, 10, 15, 22)))) {
      stop("a product comes out as ", kit$one_line(deparse(product)), call. = FALSE)
    }
    NULL
  })
  layers$finish_where("op")
  layer("train", {
    loss <- py$train(framework, left, matrix(c(0, 1), ncol = 1L))
    if (!is.finite(loss)) stop("a training step gives the loss ", loss, call. = FALSE)
    NULL
  })
}
layers$done()
