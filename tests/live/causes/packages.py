"""Packages that are not there, do not fit each other, or are hidden by others."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.model.cell import Framework
from harness.model.environment import PythonEnvironment
from tests.live.causes.bench import BOOKWORM, TRIXIE, Bench, Situation
from tests.live.causes.case import (
    MATRIX,
    REACHED,
    SCRIPT_FILE,
    Case,
    bare,
    by_script,
    changed,
    numpy,
)
from tests.live.causes.merged import PYTHON as MERGED
from tests.live.causes.merged import SITE, merged, site_of
from tests.live.causes.values import KERAS, keras

CRAN = os.environ.get("HARNESS_CRAN") or None
"""Read now: a test sees no setting of the harness."""
OWN = {"RETICULATE_PYTHON": MERGED}
INDEX = f"""{REACHED}python <- Sys.getenv("RETICULATE_PYTHON")
folder <- shQuote(path.expand("~/index"))
serve <- c("-m", "http.server", "46315", "--bind", "127.0.0.1", "--directory", folder)
system2(python, serve, wait = FALSE, stdout = FALSE, stderr = FALSE)
close(reached(46315))
index <- c("--index-url", "http://127.0.0.1:46315/simple")
status <- system2(python, c("-m", "pip", "download", "--no-deps", "--retries", "1", index, "toy"))
stopifnot(status == 0L)
"""
IMPORT = 'library(reticulate)\nimport("{}")\n'
PREDICT = """\
model <- keras$Sequential(list(keras$layers$Dense(3L)))
x <- array(0.5, c(2L, 4L))
model$predict(x)
{}
"""


def of_both(
    bench: Bench, first: tuple[str, ...], second: tuple[str, ...], start: str, script: str
) -> Situation:
    """Return a situation whose environment is ``first``, but for one package of ``second``."""
    one, other = bench.environment("3.11", *first), bench.environment("3.11", *second)
    return Situation(
        env=OWN,
        binds=(*one.binds, *other.binds),
        prepare=merged(one, (site_of(other), start)),
        files={SCRIPT_FILE: script},
        arguments=("--script", SCRIPT_FILE),
    )


def numpy_2(bench: Bench) -> Situation:
    environment = bench.environment("3.11", "numpy>=2")
    return Situation(
        env={"RETICULATE_PYTHON": str(environment.executable)}, binds=environment.binds
    )


def whole(*requirements: str) -> Callable[[Bench, Situation], Situation]:
    """Return a mend that takes an environment in which all was installed together."""

    def mend(bench: Bench, situation: Situation) -> Situation:
        environment = bench.environment("3.11", *requirements)
        env = {**situation.env, "RETICULATE_PYTHON": str(environment.executable)}
        return replace(situation, env=env, binds=(*situation.binds, *environment.binds))

    return mend


def leftovers(bench: Bench) -> Situation:
    """Return jax 0.4.30 with the metadata of 0.4.26 beside its own, and a file of it."""
    one = bench.environment("3.11", "numpy<2", "jax==0.4.30", "jaxlib==0.4.30")
    other = bench.environment("3.11", "numpy<2", "jax==0.4.26", "jaxlib==0.4.26")
    new, old = site_of(one) / "jax", site_of(other) / "jax"

    def prepare(home: Path) -> None:
        merged(one)(home)
        site = home / "env" / SITE
        for entry in site_of(other).glob("jax-*.dist-info"):
            (site / entry.name).symlink_to(entry)
        (site / "jax").unlink()
        (site / "jax" / "_src").mkdir(parents=True)
        for folder in (new, new / "_src"):
            target = site / "jax" / folder.relative_to(new)
            for entry in folder.iterdir():
                if entry.name != "_src":
                    source = old / "_src" / "core.py" if entry.name == "core.py" else entry
                    kept = entry if folder == new else source
                    (target / entry.name).symlink_to(kept)

    return Situation(
        env=OWN,
        binds=(*one.binds, *other.binds),
        prepare=prepare,
        arguments=("--framework", "jax"),
    )


def of_user(bench: Bench) -> Situation:
    """Return a Python with numpy, and a user who has that of another Python in ~/.local."""
    environment, python = bench.environment("3.11", "numpy<2"), bench.python("3.11")
    foreign = bench.environment("3.12", "numpy")
    theirs = foreign.executable.parents[1] / "lib" / "python3.12" / "site-packages"

    def prepare(home: Path) -> None:
        merged(environment)(home)
        user = home / ".local" / SITE
        user.mkdir(parents=True)
        for entry in theirs.glob("numpy*"):
            (user / entry.name).symlink_to(entry)

    return Situation(
        env={"RETICULATE_PYTHON": str(python.executable)},
        binds=(python.prefix, *environment.binds, *foreign.binds),
        prepare=prepare,
        covers={str(python.prefix / SITE): f"env/{SITE}"},
    )


def python_path(bench: Bench) -> Situation:
    healthy = bench.jax()
    other = bench.environment("3.12", "numpy")
    foreign = other.executable.parents[1] / "lib" / "python3.12" / "site-packages"
    env = {**healthy.env, "PYTHONPATH": str(foreign)}
    return replace(healthy, env=env, binds=(*healthy.binds, *other.binds))


def package_index(home: Path) -> None:
    """Make a package index of one small package, for a server of files."""
    folder = home / "index" / "simple" / "toy"
    folder.mkdir(parents=True)
    wheel = "toy-1.0-py3-none-any.whl"
    (folder / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    with zipfile.ZipFile(folder / wheel, "w") as archive:
        archive.writestr("toy.py", "")
        archive.writestr(
            "toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n"
        )
        tags = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("toy-1.0.dist-info/WHEEL", tags)
        archive.writestr("toy-1.0.dist-info/RECORD", "")


def matrix(text: str, **env: str) -> Callable[[Bench], Situation]:
    return lambda _bench: Situation(files={"m.yaml": text}, env=dict(env))


def rpython(_bench: Bench) -> Situation:
    """Return a cell of rPython, whose source comes from the repository that is named."""
    if CRAN is None:
        pytest.skip("HARNESS_CRAN names no repository with rPython and RJSONIO")
    return Situation(
        files={
            "m.yaml": "axes:\n  path: [rpython]\n  bridge: [0.0-6]\n  r: [4.2.2]\n"
            "  python: ['3.11']\n  framework: [torch==2.13.0]\n"
        },
        arguments=("--cran", CRAN),
    )


CASES = (
    Case(
        cause="framework-module-missing",
        made="torch is asked for in an environment of jax",
        make=lambda bench: replace(bench.jax(), arguments=("--framework", "torch")),
        remedy="environment-that-has-it",
        mend=changed(arguments=("--framework", "jax")),
        layer="framework",
        quick=True,
    ),
    Case(
        cause="numpy-absent-for-conversion",
        made="a Python without packages",
        make=lambda bench: bare(bench, "3.12"),
        remedy="install",
        mend=lambda bench, _situation: numpy(bench),
        layer="numpy",
        quick=True,
    ),
    Case(
        cause="numpy2-vs-old-reticulate",
        made="reticulate 1.28 and numpy 2",
        make=lambda bench: replace(bench.jax(), r=BOOKWORM),
        remedy="numpy1",
        mend=lambda bench, situation: replace(numpy(bench), r=situation.r),
        layer="convert",
        quick=True,
    ),
    Case(
        cause="pythonhome-contamination",
        made="PYTHONHOME=/opt/nothing",
        make=lambda bench: replace(
            numpy(bench), env={**numpy(bench).env, "PYTHONHOME": "/opt/nothing"}
        ),
        remedy="unset",
    ),
    Case(
        cause="pythonhome-contamination",
        made="PYTHONHOME in .Renviron",
        make=lambda bench: replace(numpy(bench), files={".Renviron": "PYTHONHOME=/opt/nothing\n"}),
        remedy="unset",
        quick=True,
    ),
    Case(
        cause="pythonpath-contamination",
        made="PYTHONPATH at the packages of another minor version",
        make=python_path,
        remedy="unset",
        layer="numpy",
        quick=True,
    ),
    Case(
        cause="user-site-shadow",
        made="~/.local has a numpy of another Python",
        make=of_user,
        remedy="without-user-site",
    ),
    by_script(
        "cwd-shadows-stdlib",
        "a file random.py in the working folder",
        'python <- Sys.getenv("RETICULATE_PYTHON")\n'
        'code <- shQuote("import numpy; print(numpy.__version__)")\n'
        'stopifnot(system2(python, c("-c", code)) == 0L)\n',
        base=lambda bench: replace(numpy(bench), files={"random.py": "print('dice')\n"}),
        remedy="rename",
        mend=changed(files={"random.py": ""}, setup="mv random.py dice.py"),
    ),
    by_script(
        "python-package-missing",
        "import() of a package that is not installed",
        IMPORT.format("toml"),
        remedy="install",
        mend=whole("numpy<2", "toml"),
    ),
    by_script(
        "setuptools-missing",
        "import() of pkg_resources without setuptools",
        IMPORT.format("pkg_resources"),
        remedy="install-setuptools",
        mend=whole("numpy<2", "setuptools<81"),
    ),
    by_script(
        "protobuf-descriptors",
        "code that an old protoc wrote, and protobuf 4",
        IMPORT.format("google.rpc.status_pb2"),
        base=lambda bench: numpy_and(
            bench, "googleapis-common-protos==1.52.0", "protobuf==4.21.12"
        ),
        remedy="pure-python",
    ),
    by_script(
        "protobuf-too-old",
        "code that protoc of protobuf 5.29 wrote, and protobuf 4",
        IMPORT.format("grpc_health.v1.health_pb2"),
        base=lambda bench: of_both(
            bench,
            ("numpy<2", "grpcio-health-checking==1.70.0", "protobuf==5.29.3"),
            ("numpy<2", "protobuf==4.25.3"),
            "google",
            "",
        ),
        remedy="newer-protobuf",
        mend=whole("numpy<2", "grpcio-health-checking==1.70.0", "protobuf==5.29.3"),
    ),
    by_script(
        "numpy-alias-gone",
        "np.object with numpy 1.26",
        'library(reticulate)\npy_run_string("import numpy as np; kind = np.object")\n',
        remedy="new-name",
        mended='library(reticulate)\npy_run_string("import numpy as np; kind = object")\n',
    ),
    by_script(
        "numpy2-name-gone",
        "np.float_ with numpy 2",
        'library(reticulate)\npy_run_string("import numpy as np; kind = np.float_")\n',
        base=numpy_2,
        remedy="new-name",
        mended='library(reticulate)\npy_run_string("import numpy as np; kind = np.float64")\n',
    ),
    by_script(
        "predict-classes-gone",
        "predict_classes() of a model of today",
        KERAS + PREDICT.format("model$predict_classes(x)"),
        base=keras,
        remedy="argmax",
        mended=KERAS + PREDICT.format("max.col(model$predict(x)) - 1L"),
    ),
    by_script(
        "numpy2-vs-module-built-on-1x",
        "pandas 2.0 and numpy 2",
        IMPORT.format("pandas"),
        base=lambda bench: of_both(
            bench, ("pandas==2.0.3", "numpy<2"), ("numpy>=2", "jax"), "numpy", ""
        ),
        remedy="numpy1",
        mend=whole("pandas==2.0.3", "numpy<2"),
    ),
    by_script(
        "jax-jaxlib-mismatch",
        "jax 0.4.30 and jaxlib 0.4.20, installed one by one",
        IMPORT.format("jax"),
        base=lambda bench: of_both(
            bench,
            ("numpy<2", "jax==0.4.30", "jaxlib==0.4.30"),
            ("numpy<2", "jax==0.4.26", "jaxlib==0.4.20"),
            "jaxlib",
            "",
        ),
        remedy="together",
        mend=whole("numpy<2", "jax==0.4.30", "jaxlib==0.4.30"),
    ),
    Case(
        cause="partial-downgrade-leftovers",
        made="a file, and the metadata, of an older jax over a newer one",
        make=leftovers,
        remedy="fresh-environment",
        mend=lambda bench, situation: replace(
            whole("numpy<2", "jax==0.4.30", "jaxlib==0.4.30")(bench, situation), prepare=None
        ),
    ),
    Case(
        cause="keras-backend-missing",
        made="KERAS_BACKEND=torch, and only jax is there",
        make=lambda bench: replace(
            keras(bench),
            env={**keras(bench).env, "KERAS_BACKEND": "torch"},
            arguments=("--framework", "keras"),
        ),
        remedy="another-backend",
        mend=changed(env={"KERAS_BACKEND": "jax"}),
    ),
    by_script(
        "legacy-keras-env-too-late",
        "KERAS_BACKEND is set after keras was imported",
        KERAS + 'Sys.setenv(KERAS_BACKEND = "torch")\n'
        'stopifnot(identical(keras$config$backend(), "torch"))\n',
        base=keras,
        remedy="set-first",
        mended='Sys.setenv(KERAS_BACKEND = "jax")\n'
        + KERAS
        + 'stopifnot(identical(keras$config$backend(), "jax"))\n',
    ),
    by_script(
        "optional-dep-missing",
        "an image is loaded without pillow",
        KERAS + 'keras$utils$load_img("x.png")\n',
        base=keras,
        remedy="install",
        mend=lambda bench, situation: replace(
            situation,
            files={
                SCRIPT_FILE: KERAS + 'png::writePNG(array(0.5, c(2, 2, 3)), "x.png")\n'
                'keras$utils$load_img("x.png")\n'
            },
            env={
                **situation.env,
                "RETICULATE_PYTHON": str(with_pillow(bench).executable),
            },
            binds=(*situation.binds, *with_pillow(bench).binds),
        ),
    ),
    by_script(
        "keras2-code-on-keras3",
        "from keras.utils import np_utils",
        'library(reticulate)\npy_run_string("from keras.utils import np_utils")\n',
        base=keras,
        remedy="new-names",
        mended='library(reticulate)\npy_run_string("from keras.utils import to_categorical")\n',
    ),
    by_script(
        "broken-pip-in-venv",
        "an environment without pip",
        'python <- path.expand("~/own/bin/python")\n'
        'stopifnot(system2(python, c("-m", "pip", "--version")) == 0L)\n',
        base=lambda bench: Situation(
            binds=(bench.python("3.11").prefix,),
            setup=f"{bench.python('3.11').executable} -m venv --without-pip ~/own",
        ),
        remedy="ensurepip",
        mended='python <- path.expand("~/own/bin/python")\n'
        'system2(python, c("-m", "ensurepip", "--upgrade"), stdout = FALSE)\n'
        'stopifnot(system2(python, c("-m", "pip", "--version")) == 0L)\n',
    ),
    by_script(
        "python-built-incomplete",
        "a Python without the modules that need header files to be built",
        IMPORT.format("sqlite3"),
        base=lambda bench: Situation(
            env={"RETICULATE_PYTHON": str(bench.python("3.12").executable)},
            binds=(bench.python("3.12").prefix,),
            without={f"{bench.python('3.12').prefix}/lib/python3.12/lib-dynload": "sqlite3|bz2"},
        ),
        remedy="built-python",
        mend=changed(without={}),
    ),
    by_script(
        "conda-ssl-module-unavailable",
        "a Python whose module ssl was not built, and pip",
        'python <- Sys.getenv("RETICULATE_PYTHON")\n'
        'status <- system2(python, c("-m", "pip", "download", "--retries", "0", "six"))\n'
        "stopifnot(status == 0L)\n",
        base=lambda bench: Situation(
            env={"RETICULATE_PYTHON": str(bench.python("3.12").executable)},
            binds=(bench.python("3.12").prefix,),
            without={f"{bench.python('3.12').prefix}/lib/python3.12/lib-dynload": "^_ssl"},
        ),
        remedy="another-python",
        # pip itself has no network here: that it can import what it said is missing has to do.
        mend=changed(
            without={},
            files={
                SCRIPT_FILE: 'python <- Sys.getenv("RETICULATE_PYTHON")\n'
                'stopifnot(system2(python, c("-c", shQuote("import ssl"))) == 0L)\n'
            },
        ),
    ),
    by_script(
        "network-or-proxy",
        "pip with HTTP_PROXY at a port where nothing is",
        INDEX,
        base=lambda bench: bare(
            bench, "3.11", env={"HTTP_PROXY": "http://127.0.0.1:9"}, prepare=package_index
        ),
        remedy="no-proxy",
    ),
    by_script(
        "r-packages-out-of-step",
        "an R package that needs a newer one than is installed",
        '.libPaths(c("~/library", .libPaths()))\nlibrary(upper)\n',
        base=lambda _bench: Situation(
            r=TRIXIE,
            files=r_packages("1.0", "2.0"),
            setup="mkdir ~/library && cd ~ && R CMD INSTALL -l ~/library new/lower && "
            "R_LIBS=~/library R CMD INSTALL -l ~/library upper && "
            "R CMD INSTALL -l ~/library old/lower",
        ),
        remedy="update-all",
        mend=changed(
            setup="mkdir ~/library && cd ~ && R CMD INSTALL -l ~/library new/lower && "
            "R_LIBS=~/library R CMD INSTALL -l ~/library upper"
        ),
    ),
    Case(
        cause="no-wheel-for-python",
        made="tensorflow 2.15 with Python 3.13",
        make=matrix(
            "axes:\n  path: [native]\n  python: ['3.13']\n  framework: [tensorflow==2.15.1]\n"
        ),
        remedy="another-python",
        by=MATRIX,
    ),
    Case(
        cause="numpy2-vs-old-reticulate",
        made="reticulate 1.28, numpy 2 and torch, as a cell",
        make=matrix(
            "axes:\n  path: [reticulate]\n  r: [4.2.2]\n  python: ['3.11']\n"
            "  framework: [torch==2.13.0]\n"
        ),
        remedy="numpy1",
        by=MATRIX,
    ),
    Case(
        cause="rpython-undefined-Py_Initialize",
        made="rPython as it was published, as a cell",
        make=rpython,
        remedy="embed",
        by=MATRIX,
    ),
    Case(
        cause="reticulate-imp-removed-py312",
        made="reticulate 1.28 and Python 3.12, as a cell",
        make=matrix(
            "axes:\n  path: [reticulate]\n  r: [4.2.2]\n  python: ['3.12']\n"
            "  framework: [jax==0.10.2]\n"
        ),
        remedy="older-python",
        by=MATRIX,
    ),
)


def numpy_and(bench: Bench, *requirements: str) -> Situation:
    environment = bench.environment("3.11", "numpy<2", *requirements)
    return Situation(
        env={"RETICULATE_PYTHON": str(environment.executable)}, binds=environment.binds
    )


def with_pillow(bench: Bench) -> PythonEnvironment:
    framework = Framework(name="keras", backends=("jax",))
    return bench.environment("3.11", "pillow", framework=framework)


def r_packages(old: str, new: str) -> dict[str, str]:
    """Return the sources of two R packages, one of which needs the newer version of the other."""
    head = (
        "Title: One of Two\nDescription: Nothing.\nLicense: MIT\nAuthor: x\nMaintainer: x <x@x>\n"
    )
    files = {}
    for folder, version in (("old", old), ("new", new)):
        text = f"Package: lower\nVersion: {version}\n{head}"
        files[f"{folder}/lower/DESCRIPTION"] = text
        files[f"{folder}/lower/NAMESPACE"] = "export(one)\n"
        files[f"{folder}/lower/R/one.R"] = "one <- function() 1\n"
    files["upper/DESCRIPTION"] = f"Package: upper\nVersion: 1.0\nImports: lower (>= {new})\n{head}"
    files["upper/NAMESPACE"] = "importFrom(lower, one)\nexport(two)\n"
    files["upper/R/two.R"] = "two <- function() one() + 1\n"
    return files
