"""Before Python is there: R, the bridge, and which Python it takes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.live.causes.bench import BOOKWORM, BULLSEYE, Bench, Situation
from tests.live.causes.case import DIAGNOSE, SCRIPT_FILE, Case, bare, by_script, changed, numpy

SLEEPS = "#!/bin/sh\nsleep 1000\n"
NO_SUCH = "#!/nonexistent/interpreter\n"
SITE = "/usr/lib/R/site-library"


def named(python: str, **others: object) -> Situation:
    return Situation(env={"RETICULATE_PYTHON": python}, **others)  # type: ignore[arg-type]


def another_interpreter(bench: Bench, situation: Situation) -> Situation:
    """Name an interpreter that is there, and has numpy."""
    good = numpy(bench)
    env = {**situation.env, **good.env}
    files = {name: text for name, text in situation.files.items() if not name.startswith(".R")}
    return replace(situation, env=env, files=files, binds=(*situation.binds, *good.binds))


def folder_of_an_environment(bench: Bench) -> Situation:
    environment = bench.environment("3.11", "numpy<2")
    return named(str(environment.executable.parent.parent), binds=environment.binds)


def two_pythons(bench: Bench) -> Situation:
    first, second = bench.environment("3.11", "numpy<2"), bench.python("3.10")
    env = {"ONE": str(first.executable), "OTHER": str(second.executable)}
    return Situation(env=env, binds=(*first.binds, second.prefix))


def moved(home: Path) -> None:
    """Make a virtual environment whose Python was taken away."""
    environment = home / "moved"
    (environment / "bin").mkdir(parents=True)
    for name in ("python", "python3"):
        (environment / "bin" / name).symlink_to("/opt/python-3.11.7/bin/python3.11")
    (environment / "bin" / "activate_this.py").write_text("")
    (environment / "pyvenv.cfg").write_text("home = /opt/python-3.11.7/bin\nversion = 3.11.7\n")


def shim(bench: Bench) -> Situation:
    """Return a situation with what pyenv puts on PATH, while no version is chosen."""
    bench.python("3.11")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    if not (pyenv / "shims" / "python").is_file():
        pytest.skip("there is no pyenv with its shims on this machine")
    return Situation(
        r=BOOKWORM,
        env={
            "RETICULATE_PYTHON": str(pyenv / "shims" / "python"),
            "PYENV_ROOT": str(pyenv),
            "PYENV_VERSION": "3.99",
        },
        binds=(pyenv,),
    )


def free_threaded(bench: Bench) -> Situation:
    python = bench.free_threaded("3.13")
    return named(str(python), binds=(python.parents[1],))


CASES = (
    Case(
        cause="r-not-found",
        made="no folder on PATH, and no usual place, has an Rscript",
        make=lambda bench: replace(numpy(bench), without={"/usr/bin": "Rscript"}),
        remedy="name-R",
        mend=changed(arguments=("--r", "/usr/lib/R/bin/Rscript")),
        layer="r",
        quick=True,
    ),
    Case(
        cause="bridge-not-installed",
        made="R's library has no reticulate",
        make=lambda bench: replace(numpy(bench), masks=(SITE,)),
        remedy="install-bridge",
        mend=changed(masks=()),
        layer="bridge",
        quick=True,
    ),
    Case(
        cause="rpython-unavailable",
        made="rPython is asked for and was never installed",
        make=lambda bench: replace(numpy(bench), arguments=("--path", "rpython")),
        remedy="reticulate",
        mend=changed(arguments=("--path", "reticulate")),
        layer="bridge",
    ),
    Case(
        cause="reticulate-python-nonexistent",
        made="RETICULATE_PYTHON=/nonexistent/python",
        make=lambda _bench: named("/nonexistent/python"),
        remedy="name-an-interpreter",
        mend=another_interpreter,
        layer="discovery",
        quick=True,
    ),
    Case(
        cause="reticulate-python-nonexistent",
        made="RETICULATE_PYTHON names the folder of an environment",
        make=folder_of_an_environment,
        remedy="name-what-is-inside",
        layer="python",
    ),
    Case(
        cause="reticulate-python-not-a-python",
        made="RETICULATE_PYTHON=/bin/true with reticulate 1.28",
        make=lambda _bench: named("/bin/true", r=BOOKWORM),
        remedy="name-an-interpreter",
        mend=another_interpreter,
        layer="discovery",
    ),
    Case(
        cause="reticulate-python-not-a-python",
        made="RETICULATE_PYTHON=/bin/true, and reticulate 1.41 goes on to the next place",
        make=lambda _bench: named("/bin/true"),
        remedy="name-an-interpreter",
        mend=another_interpreter,
        quick=True,
    ),
    Case(
        cause="reticulate-probe-hides-traceback",
        made="what R alone prints where its question to Python fails",
        make=lambda bench: replace(
            bare(bench, "3.11", r=BOOKWORM, files={"modules/sysconfig.py": "1 / 0\n"}),
            arguments=("Rscript", "-e", "reticulate::py_config()"),
            env={
                "RETICULATE_PYTHON": str(bench.python("3.11").executable),
                "PYTHONPATH": "{home}/modules",
            },
        ),
        remedy="keep-its-stderr",
        mend=lambda bench, situation: replace(
            situation,
            arguments=(
                *("sh", "-c"),
                (
                    f"{bench.python('3.11').executable} {SITE}/reticulate/config/config.py 2>&1"
                    " | grep -q ZeroDivisionError"
                ),
            ),
        ),
        by=DIAGNOSE,
    ),
    Case(
        cause="reticulate-imp-removed-py312",
        made="reticulate 1.28 and Python 3.12",
        make=lambda bench: bare(bench, "3.12", r=BOOKWORM),
        remedy="older-python",
        mend=lambda bench, situation: replace(bare(bench, "3.11"), r=situation.r),
        layer="discovery",
        quick=True,
    ),
    by_script(
        "python-already-initialized",
        "use_python() of a second Python after the first was started",
        "library(reticulate)\nuse_python(Sys.getenv('ONE'), required = TRUE)\npy_config()\n"
        "use_python(Sys.getenv('OTHER'), required = TRUE)\n",
        base=two_pythons,
        remedy="ask-first",
        mended="library(reticulate)\nuse_python(Sys.getenv('OTHER'), required = TRUE)\n"
        "py_config()\n",
    ),
    Case(
        cause="use-python-advisory-ignored",
        made="use_python() after Python was started, with reticulate 1.18",
        make=lambda _bench: Situation(
            r=BULLSEYE,
            setup="/usr/bin/python3 -m venv --without-pip ~/own",
            files={
                SCRIPT_FILE: "library(reticulate)\nuse_python('/usr/bin/python3')\n"
                "import('sys')$version\nuse_python('{home}/own/bin/python')\npy_config()\n"
                "stopifnot(grepl('own', py_config()$python))\n"
            },
            arguments=("Rscript", "-e", f"source('{SCRIPT_FILE}', echo = TRUE)"),
        ),
        remedy="required",
        mend=changed(
            files={
                SCRIPT_FILE: "library(reticulate)\n"
                "use_python('{home}/own/bin/python', required = TRUE)\npy_config()\n"
                "stopifnot(grepl('own', py_config()$python))\n"
            }
        ),
        by=DIAGNOSE,
    ),
    Case(
        cause="specified-python-missing",
        made="use_python() of a file that is not there",
        make=lambda bench: replace(
            numpy(bench), env={}, arguments=("--python", "/opt/none/python")
        ),
        remedy="name-one-that-is",
        mend=lambda bench, situation: replace(
            situation, arguments=("--python", numpy(bench).env["RETICULATE_PYTHON"])
        ),
    ),
    Case(
        cause="not-a-virtualenv",
        made="use_virtualenv() of an empty folder, in .Rprofile",
        make=lambda _bench: Situation(
            files={
                "empty/notes": "nothing\n",
                ".Rprofile": 'reticulate::use_virtualenv("~/empty", required = TRUE)\n',
            }
        ),
        remedy="recreate",
        mend=lambda bench, situation: replace(
            situation,
            setup="rm -r ~/empty && "
            f"{bench.python('3.11').executable} -m venv --without-pip ~/empty",
            binds=(bench.python("3.11").prefix,),
        ),
        layer="r",
        quick=True,
    ),
    by_script(
        "conda-binary-missing",
        "use_condaenv() where there is no conda",
        'library(reticulate)\nuse_condaenv("tf", required = TRUE)\npy_config()\n',
        base=lambda _bench: Situation(),
        remedy="virtual-environment",
        mend=lambda bench, situation: replace(
            situation,
            setup=f"{bench.python('3.11').executable} -m venv --without-pip ~/own",
            binds=(bench.python("3.11").prefix,),
            files={
                SCRIPT_FILE: "library(reticulate)\n"
                'use_virtualenv("~/own", required = TRUE)\npy_config()\n'
            },
        ),
    ),
    by_script(
        "condaenv-missing",
        "use_condaenv() of a name that its conda does not list",
        'library(reticulate)\nuse_condaenv("tf", required = TRUE)\npy_config()\n',
        base=lambda bench: replace(
            numpy(bench),
            files={
                "conda/bin/conda": "#!/bin/sh\n"
                'case "$*" in *--version*) echo "conda 24.5.0";; *) echo \'{"envs": '
                '["{home}/conda"], "root_prefix": "{home}/conda"}\';; esac\n'
            },
            env={"RETICULATE_CONDA": "{home}/conda/bin/conda"},
        ),
        remedy="list-them",
        mended='library(reticulate)\nprint(conda_list(conda = Sys.getenv("RETICULATE_CONDA")))\n',
    ),
    Case(
        cause="venv-base-moved",
        made="a virtual environment whose base Python is gone",
        make=lambda _bench: named("{home}/moved/bin/python", prepare=moved),
        remedy="recreate",
        mend=lambda bench, situation: replace(
            situation,
            setup=f"rm -r ~/moved && {bench.python('3.11').executable} -m venv ~/moved",
            binds=(bench.python("3.11").prefix,),
        ),
        layer="discovery",
        quick=True,
    ),
    Case(
        cause="python-exe-cannot-start",
        made="a Python whose own interpreter line names nothing",
        make=lambda _bench: named("{home}/python", files={"python": NO_SUCH}, r=BOOKWORM),
        remedy="repair",
        mend=another_interpreter,
        layer="discovery",
    ),
    Case(
        cause="python-exe-cannot-start",
        made="a Python that sleeps",
        make=lambda _bench: named("{home}/python", files={"python": SLEEPS}, r=BOOKWORM),
        remedy="repair",
        mend=another_interpreter,
        layer="discovery",
    ),
    Case(
        cause="uv-bootstrap-offline",
        made="reticulate 1.41 without a Python, without uv and without a network",
        make=lambda _bench: Situation(),
        remedy="name-an-interpreter",
        mend=another_interpreter,
        layer="discovery",
        quick=True,
    ),
    by_script(
        "no-venv-starter",
        "virtualenv_create() where the only Python has no venv",
        'library(reticulate)\nvirtualenv_create("~/own")\n',
        base=lambda _bench: Situation(env={"PATH": "/usr/bin:/bin"}),
        remedy="let-reticulate-install",
        mend=lambda bench, situation: replace(
            situation,
            files={
                SCRIPT_FILE: "library(reticulate)\n"
                f"virtualenv_create('~/own', python = '{bench.python('3.11').executable}',\n"
                "  packages = FALSE)\n"
            },
            binds=(bench.python("3.11").prefix,),
        ),
    ),
    by_script(
        "pep668-externally-managed",
        "pip install into the system's Python",
        'library(reticulate)\nout <- system2(Sys.getenv("SYSTEM"), '
        'c("-m", "pip", "install", "six"))\nstopifnot(out == 0L)\n',
        base=lambda bench: Situation(
            env={
                "SYSTEM": "/usr/bin/python3.11",
                "PYTHONPATH": "{home}/pip",
                "OTHER": str(bench.python("3.11").executable),
            },
            r=BOOKWORM,
            setup="mkdir ~/pip; cp -r "
            f"{bench.python('3.11').prefix}/lib/python3.11/site-packages/pip ~/pip/pip",
            binds=(bench.python("3.11").prefix,),
        ),
        remedy="in-a-shell",
        mended='library(reticulate)\nown <- path.expand("~/own")\n'
        'stopifnot(system2(Sys.getenv("OTHER"), c("-m", "venv", shQuote(own))) == 0L)\n'
        'out <- system2(file.path(own, "bin", "python"), c("-m", "pip", "--version"))\n'
        "stopifnot(out == 0L)\n",
    ),
    Case(
        cause="pyenv-shim",
        made="RETICULATE_PYTHON at pyenv's shim, with a version that pyenv has not got",
        make=shim,
        remedy="name-the-interpreter",
        mend=another_interpreter,
    ),
    Case(
        cause="python2-bound",
        made="RETICULATE_PYTHON at Python 2.7, with reticulate 1.28",
        make=lambda bench: bare(bench, "2.7", r=BOOKWORM),
        remedy="name-python3",
        mend=another_interpreter,
    ),
    Case(
        cause="python2-bound",
        made="RETICULATE_PYTHON at Python 2.7, with reticulate 1.41",
        make=lambda bench: bare(bench, "2.7"),
        remedy="name-python3",
        mend=another_interpreter,
        quick=True,
    ),
    Case(
        cause="free-threaded-python",
        made="RETICULATE_PYTHON at a CPython 3.13 that is built without the global lock",
        make=free_threaded,
        remedy="name-another",
        mend=another_interpreter,
    ),
    Case(
        cause="no-python-found",
        made="reticulate 1.28 where PATH and the usual places have no Python",
        make=lambda _bench: Situation(r=BOOKWORM, without={"/usr/bin": "^python"}),
        remedy="name-one",
        mend=another_interpreter,
        quick=True,
    ),
)
