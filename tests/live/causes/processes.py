"""Processes, memory, and the machine's own limits."""

from __future__ import annotations

from dataclasses import replace

from tests.live.causes.bench import Bench
from tests.live.causes.case import SCRIPT_FILE, Case, by_script, changed, numpy

NUMPY = 'library(reticulate)\nnp <- import("numpy")\n'
VENV = """python <- Sys.getenv("RETICULATE_PYTHON")
folder <- shQuote(path.expand("{}"))
stopifnot(system2(python, c("-m", "venv", "--without-pip", folder)) == 0L)
"""
FORKED = """library(reticulate)
jax <- import("jax")
x <- jax$numpy$ones(tuple(500L, 500L))
total <- jax$jit(jax$numpy$sum)(x)
child <- parallel::mcparallel(jax$numpy$matmul(x, x)$sum()$item())
parallel::mccollect(child)
"""
SPAWNED = """workers <- parallel::makePSOCKcluster(1)
parallel::clusterEvalQ(workers, {
  jax <- reticulate::import("jax")
  x <- jax$numpy$ones(reticulate::tuple(500L, 500L))
  jax$numpy$matmul(x, x)$sum()$item()
})
parallel::stopCluster(workers)
"""
SPAWN = """library(reticulate)
py_run_string("
import multiprocessing
pool = multiprocessing.get_context('spawn').Pool(1)
result = pool.apply_async(abs, (-3,)).get(20)
")
stopifnot(py$result == 3L)
"""

CASES = (
    by_script(
        "out-of-memory",
        "an array of 80 TB",
        NUMPY + "x <- np$ones(tuple(1000000L, 10000000L))\n",
        remedy="smaller-batch",
        mended=NUMPY + "x <- np$ones(tuple(1000L, 1000L))\n",
    ),
    Case(
        cause="crash-at-exit",
        made="a library that crashes while Python ends",
        make=lambda bench: replace(
            numpy(bench),
            files={
                SCRIPT_FILE: "library(reticulate)\n"
                'py_run_string("import atexit, ctypes; atexit.register(ctypes.string_at, 0)")\n'
                'print("all is done")\n'
                "invisible(reg.finalizer(globalenv(), function(e) "
                "py_run_string('import atexit; atexit._run_exitfuncs()'), onexit = TRUE))\n"
            },
            arguments=("--script", SCRIPT_FILE),
        ),
        by="doctor --script",
        remedy="leave-at-once",
        mend=changed(
            files={
                SCRIPT_FILE: "library(reticulate)\n"
                'py_run_string("import atexit, ctypes; atexit.register(ctypes.string_at, 0)")\n'
                'print("all is done")\nreticulate::import("os")$`_exit`(0L)\n'
            }
        ),
        quick=True,
    ),
    by_script(
        "python-object-elsewhere",
        "an array of numpy's goes through saveRDS()",
        NUMPY + 'x <- np$ones(3L)\nx <- r_to_py(x)\nsaveRDS(x, "x.rds")\ny <- readRDS("x.rds")\n'
        "print(np$sum(y))\n",
        remedy="plain-values",
        mended=NUMPY + 'x <- np$ones(3L)\nsaveRDS(x, "x.rds")\ny <- readRDS("x.rds")\nprint(y)\n',
    ),
    by_script(
        "multiprocessing-spawns-R",
        "a pool of spawned workers, with sys.executable as R leaves it",
        "library(reticulate)\npy_run_string(\"import sys; sys.executable = '/usr/bin/R'\")\n"
        + SPAWN,
        remedy="set-executable",
        mended=SPAWN,
    ),
    by_script(
        "disk-full",
        "np$save() into a folder with room for one megabyte",
        NUMPY + 'np$save("/var/tmp/x.npy", np$ones(tuple(1000L, 1000L)))\n',
        base=lambda bench: replace(numpy(bench), small=("/var/tmp", 1_000_000)),
        remedy="other-temporary-folder",
        mend=changed(small=None, masks=("/var/tmp",)),
    ),
    by_script(
        "permission-denied",
        "a virtual environment in a home that cannot be written to",
        VENV.format("~/own"),
        base=lambda bench: replace(numpy(bench), home=False),
        remedy="own-environment",
        mended=VENV.format("/tmp/own"),
    ),
    by_script(
        "tf-fork-hang",
        "jax computes, and then computes in a forked child",
        FORKED,
        base=Bench.jax,
        remedy="spawn",
        mended=SPAWNED,
    ),
)
