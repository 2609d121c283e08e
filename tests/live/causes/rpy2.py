"""Python holds R: R that is not found, the wrong one, and rpy2's own rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.live.causes.bench import BOOKWORM, TRIXIE, Bench, Situation
from tests.live.causes.case import DIAGNOSE, Case, changed, numpy
from tests.live.causes.merged import PYTHON, SITE, merged, site_of

NEW, OLDER = "3.6.9", "3.6.5"
CONVERSION = "import rpy2.robjects as ro\nfrom rpy2.robjects import numpy2ri\nimport numpy as np\n"


def host(bench: Bench, version: str = NEW, r: str = TRIXIE) -> Situation:
    """Return a situation with rpy2 in the Python that is asked for."""
    environment = bench.rpy2(version, r)
    assert environment.overlay is not None
    return Situation(
        r=r,
        env={"RPY2_CFFI_MODE": "ABI"},
        binds=(*environment.binds, environment.overlay),
        prepare=merged(environment, (environment.overlay, "")),
        arguments=("--path", "rpy2", "--python", PYTHON),
    )


def program(text: str, version: str = NEW, r: str = TRIXIE) -> Callable[[Bench], Situation]:
    """Return a situation that runs a program of Python's with rpy2."""

    def make(bench: Bench) -> Situation:
        situation = host(bench, version, r)
        python = situation.arguments[-1]
        return replace(situation, files={"main.py": text}, arguments=(python, "main.py"))

    return make


def mended(text: str) -> Callable[[Bench, Situation], Situation]:
    return changed(files={"main.py": text})


def half_installed(bench: Bench) -> Situation:
    """Return rpy2 without the module that its build leaves beside it."""
    situation = host(bench)
    make = situation.prepare
    assert make is not None

    def prepare(home: Path) -> None:
        make(home)
        for file in (home / "env" / SITE).glob("_rinterface_cffi*"):
            file.unlink()

    return replace(situation, prepare=prepare)


def with_env(**env: str) -> Callable[[Bench], Situation]:
    def make(bench: Bench) -> Situation:
        situation = host(bench)
        return replace(situation, env={**situation.env, **env})

    return make


CASES = (
    Case(
        cause="rpy2-not-installed",
        made="a Python without rpy2 is asked to hold R",
        make=lambda bench: replace(
            numpy(bench),
            arguments=("--path", "rpy2", "--python", numpy(bench).env["RETICULATE_PYTHON"]),
        ),
        remedy="look-which",
        mend=lambda bench, _situation: host(bench),
        layer="bridge",
        quick=True,
    ),
    Case(
        cause="rpy2-too-new-for-R",
        made="rpy2 3.6.9 and R 4.2.2",
        make=lambda bench: host(bench, NEW, BOOKWORM),
        remedy="older-rpy2",
        mend=lambda bench, _situation: host(bench, OLDER, BOOKWORM),
    ),
    Case(
        cause="rpy2-r-home-none",
        made="R is not on PATH, and R_HOME is not set",
        make=lambda bench: replace(host(bench), without={"/usr/bin": "^R(script)?$"}),
        remedy="path",
        mend=changed(env={"R_HOME": "/usr/lib/R"}),
        quick=True,
    ),
    Case(
        cause="rpy2-libR-missing",
        made="R_HOME at an empty folder",
        make=lambda bench: replace(
            with_env(R_HOME="{home}/empty")(bench), files={"empty/notes": "nothing\n"}
        ),
        remedy="right-home",
        mend=changed(env={"R_HOME": None}),
    ),
    Case(
        cause="rpy2-wrong-R_HOME",
        made="R_HOME at a copy of R's folders lib and bin alone",
        make=lambda bench: replace(
            with_env(R_HOME="{home}/copy")(bench),
            setup="mkdir ~/copy && cp -r /usr/lib/R/lib /usr/lib/R/bin ~/copy",
        ),
        remedy="unset",
        mend=changed(env={"R_HOME": None}),
    ),
    Case(
        cause="rpy2-cffi-module-missing",
        made="rpy2 without the module that its build makes",
        make=half_installed,
        remedy="reinstall",
        mend=lambda bench, _situation: host(bench),
    ),
    Case(
        cause="rpy2-activate-removed",
        made="numpy2ri.activate() with rpy2 3.6",
        make=program(f"{CONVERSION}numpy2ri.activate()\n"),
        by=DIAGNOSE,
        remedy="context",
        mend=mended(
            f"{CONVERSION}with (ro.default_converter + numpy2ri.converter).context():\n"
            "    ro.globalenv['x'] = np.ones(3)\n"
        ),
    ),
    Case(
        cause="rpy2-no-converter",
        made="an array of numpy's is handed to R with the default rules",
        make=program(f"{CONVERSION}ro.globalenv['x'] = np.ones(3)\n"),
        by=DIAGNOSE,
        remedy="local-converter",
        mend=mended(
            f"{CONVERSION}with (ro.default_converter + numpy2ri.converter).context():\n"
            "    ro.globalenv['x'] = np.ones(3)\n"
        ),
    ),
    Case(
        cause="rpy2-thread-context",
        made="a conversion in another thread",
        make=program(
            "import threading\nimport rpy2.robjects as ro\n\n"
            "def work():\n    ro.globalenv['x'] = 3\n\n"
            "thread = threading.Thread(target=work)\nthread.start()\nthread.join()\n"
            "assert ro.r('exists(\"x\")')[0], 'R has no x'\n"
        ),
        by=DIAGNOSE,
        remedy="local-converter",
        mend=mended(
            "import threading\nimport rpy2.robjects as ro\n\n"
            "def work():\n    with ro.default_converter.context():\n"
            "        ro.globalenv['x'] = 3\n\n"
            "thread = threading.Thread(target=work)\nthread.start()\nthread.join()\n"
            "assert ro.r('exists(\"x\")')[0], 'R has no x'\n"
        ),
    ),
    Case(
        cause="rpy2-exception-lost",
        made="an R function calls a Python function that raises",
        make=program(
            "import rpy2.rinterface as ri\nimport rpy2.robjects as ro\n\n"
            "def f(x):\n    raise ValueError('no such thing')\n\n"
            "out = ro.r('function(f) f(1)')(ri.rternalize(f))\n"
            "assert out is not ri.NULL, 'the error did not arrive'\n"
        ),
        by=DIAGNOSE,
        remedy="catch-and-return",
        mend=mended(
            "import rpy2.rinterface as ri\nimport rpy2.robjects as ro\n\n"
            "def f(x):\n    try:\n        raise ValueError('no such thing')\n"
            "    except Exception as error:\n"
            "        return ri.StrSexpVector([f'error: {error}'])\n\n"
            "out = ro.r('function(f) f(1)')(ri.rternalize(f))\n"
            "assert 'no such thing' in out[0]\n"
        ),
    ),
    Case(
        cause="rpy2-r-package-missing",
        made="importr() of a package that R has not got",
        make=program("from rpy2.robjects.packages import importr\nimportr('caret')\n"),
        by=DIAGNOSE,
        remedy="which-R",
        mend=mended("from rpy2.robjects.packages import importr\nimportr('jsonlite')\n"),
    ),
    Case(
        cause="rpy2-then-reticulate-abort",
        made="library(reticulate) and import() inside the R that rpy2 holds",
        make=program(
            "import rpy2.robjects as ro\nro.r('library(reticulate)')\n"
            "ro.r('os <- import(\"os\"); print(os$getpid())')\nprint('all is done')\n",
            OLDER,
            BOOKWORM,
        ),
        by=DIAGNOSE,
        remedy="one-of-them",
        mend=mended("import os\nimport rpy2.robjects as ro\nro.globalenv['pid'] = os.getpid()\n"),
    ),
    Case(
        cause="pyrserve-numpy2",
        made="pyRserve 1.0.4 and numpy 2",
        make=lambda bench: pyrserve(bench, ("numpy==2.2.6", "numpy")),
        by=DIAGNOSE,
        remedy="numpy-1",
        mend=lambda bench, _situation: pyrserve(bench),
    ),
)


def pyrserve(bench: Bench, *instead: tuple[str, str]) -> Situation:
    environment = bench.environment("3.11", "pyRserve==1.0.4", "numpy<2")
    others = [bench.environment("3.11", wanted) for wanted, _ in instead]
    sites = [(site_of(one), start) for one, (_, start) in zip(others, instead, strict=True)]
    return Situation(
        binds=(*environment.binds, *(bind for one in others for bind in one.binds)),
        prepare=merged(environment, *sites),
        arguments=(PYTHON, "-c", "import pyRserve"),
    )
