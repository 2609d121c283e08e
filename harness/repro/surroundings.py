"""What a script runs in: the lock, how to install it, and an image with the same R."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from harness.model.status import Phase
from harness.repro.case import Build, Case

_R_PACKAGES: Final = {
    "reticulate": ("r-cran-reticulate",),
    "rpython": ("r-base-dev", "r-cran-remotes"),
    "rpc": ("r-cran-curl", "r-cran-pbdzmq", "r-cran-rserve"),
}
"""Debian's packages by path; ``remotes`` fetches a version that is in CRAN's archive."""
_OF_TRANSPORT: Final = {
    "socket": (),
    "http": ("r-cran-curl",),
    "zmq": ("r-cran-pbdzmq",),
    "rserve": ("r-cran-rserve",),
}
_TO_BUILD: Final = ("r-base-dev", "r-cran-remotes")
_UV_FROM_PIP: Final = ("ca-certificates", "python3-venv")


def environment(case: Case, command: str, scripts: Iterable[str]) -> dict[str, str]:
    """Return ``requirements.lock``, ``setup.sh`` and ``Dockerfile``, for what runs ``scripts``."""
    files = {"setup.sh": _setup(case)}
    # A bridge that does not build needs the interpreter alone.
    files |= {} if is_unbuilt(case) else {"requirements.lock": case.lock.text}
    # What the bridge is built from may lie there as well.
    copied = ["."] if case.build else sorted({*files, *scripts})
    return files | {"Dockerfile": dockerfile(case, command, copied)}


def is_unbuilt(case: Case) -> bool:
    """Tell whether the cell ended where its bridge was built."""
    return case.build is not None and case.record.phase is Phase.PROVISION


def _setup(case: Case) -> str:
    options = " --no-deps" if case.lock.whole else ""
    built = re.search(r"^torch==\S+\+(\w+)", case.lock.text, re.MULTILINE)
    if built is not None:
        # Builds of PyTorch with a label are on its own index alone.
        options += f" --torch-backend {built[1]}"
    install = f"uv pip install --quiet --python .venv/bin/python{options} -r requirements.lock"
    if case.path == "rpy2":
        install = f"RPY2_CFFI_MODE={case.identity('bridge').get('mode') or 'ABI'} {install}"
    lines = [
        "#!/bin/sh",
        "# Puts the Python of this cell into .venv; needs uv.",
        "set -e",
        'cd "$(dirname "$0")"',
        "rm -rf .venv",
        f"uv venv --quiet --python {case.python} .venv",
        *(() if is_unbuilt(case) else (install,)),
    ]
    if case.build is not None:
        lines += _fetch(case.build)
        lines += [] if is_unbuilt(case) else _built(case, case.build)
    if any(probe.name == "upstream" for probe in case.record.probes) and case.path == "reticulate":
        lines += _tests(case)
    return "\n".join(lines) + "\n"


def _fetch(build: Build) -> list[str]:
    if build.tree:
        return []
    archive = f"{build.package}_{build.version}.tar.gz"
    fetched = f'remotes::download_version("{build.package}", "{build.version}")'
    return [f"[ -e {archive} ] || Rscript -e 'file.copy({fetched}, \"{archive}\")'"]


def _tests(case: Case) -> list[str]:
    version = case.identity("bridge").get("version") or case.record.axes.get("bridge")
    fetched = f'remotes::download_version("reticulate", "{version}")'
    return [f"[ -d reticulate ] || Rscript -e 'untar({fetched})'"]


def _built(case: Case, build: Build) -> list[str]:
    """Return the lines that build the bridge into ``library``."""
    if case.path == "rpy2":
        return ["uv pip install --quiet --python .venv/bin/python --no-deps ./bridge"]
    source = "bridge" if build.tree else f"{build.package}_{build.version}.tar.gz"
    lines = ["mkdir -p library", 'export R_LIBS="$PWD/library:$R_LIBS"']
    if case.path == "rpython":
        # Which rPython loads, and Debian has not got.
        needed = 'if (!requireNamespace("RJSONIO")) install.packages("RJSONIO", lib = "library")'
        lines += [f"Rscript -e '{needed}'", *_python_config(case)]
    return [*lines, f"R CMD INSTALL --no-docs --library=library {source}"]


def _python_config(case: Case) -> list[str]:
    """Return the lines that have rPython's build find this Python.

    It asks ``python-config`` on ``PATH``, which since Python 3.8 leaves out libpython itself
    unless it is told that it is to be embedded.
    """
    series = ".".join(case.python.split(".")[:2])
    lines = [
        "base=$(.venv/bin/python -c 'import sys; print(sys.base_prefix)')",
        "mkdir -p tools",
        # Not links: each looks for its own place beside itself.
        *(
            f'printf \'#!/bin/sh\\nexec "%s" "$@"\\n\' "$base/bin/{program}" > tools/{name}'
            for name, program in (
                ("python", f"python{series}"),
                ("python-config", f"python{series}-config"),
            )
        ),
        "chmod +x tools/*",
        'export PATH="$PWD/tools:$PATH"',
    ]
    if (case.record.axes.get("bridge") or "").endswith("+remedies"):
        lines += [
            "printf '#!/bin/sh\\nexec python-config --embed \"$@\"\\n' > tools/python-config-embed",
            "chmod +x tools/*",
            'export PYTHONCONFIG=python-config-embed LD_LIBRARY_PATH="$base/lib"',
        ]
    return lines


def build_script(case: Case) -> str:
    """Return ``repro.sh`` for a bridge that does not build."""
    assert case.build is not None
    *before, install = _built(case, case.build)
    lines = ["#!/bin/sh", f"# {case.title}", 'cd "$(dirname "$0")"', *before]
    return "\n".join([*lines, f"# expected here: {case.message}", install]) + "\n"


def dockerfile(case: Case, command: str, copied: Sequence[str]) -> str:
    """Return a ``Dockerfile`` with the same R, in which ``command`` is run on ``copied`` files."""
    lines = [f"FROM {image(case)}"]
    if case.rolling:
        lines.insert(0, f"# Debian {case.suite} has moved on since; R was {case.r} then.")
    lines += [
        "RUN apt-get update && apt-get install -y --no-install-recommends \\",
        f"    {' '.join((*_debian_packages(case), *_UV_FROM_PIP))} && \\",
        "    python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet uv",
        *_from_cran(case),
        "ENV PATH=/opt/uv/bin:$PATH LANG=C.UTF-8",
        "WORKDIR /repro",
        f"COPY {' '.join(copied)} ./",
        *(("RUN sh setup.sh",) if {".", "setup.sh"} & set(copied) else ()),
        f"CMD {_words(command)}",
    ]
    return "\n".join(lines) + "\n"


def image(case: Case) -> str:
    """Return the public image that has this R; for an R of no Debian suite, rocker's."""
    if case.r is None:
        return "debian:stable"
    return f"debian:{case.suite}" if case.suite else f"rocker/r-ver:{case.r}"


def _debian_packages(case: Case) -> tuple[str, ...]:
    if case.r is None:
        return ()
    if case.suite is None:
        # The image's R is none of Debian's, whose packages for R are of no use to it.
        return ("build-essential",)
    upstream = any(probe.name == "upstream" for probe in case.record.probes)
    more = (*(_TO_BUILD if case.build else ()), *(_TESTS if upstream else ()))
    return tuple(dict.fromkeys(("r-base-core", *_bridges(case), *more)))


def _bridges(case: Case) -> tuple[str, ...]:
    transport = case.record.axes.get("transport") or ""
    return _OF_TRANSPORT.get(transport, _R_PACKAGES.get(case.path, ()))


def _from_cran(case: Case) -> list[str]:
    """Return the line that brings an R that is not Debian's what it needs."""
    if case.r is None or case.suite is not None:
        return []
    names = [_CRAN[name] for name in _bridges(case) if name in _CRAN]
    wanted = ", ".join(f'"{name}"' for name in ("remotes", *names) if name != "reticulate")
    code = f"install.packages(c({wanted}))"
    version = case.identity("bridge").get("version")
    if case.path == "reticulate" and case.build is None and version:
        code += f'; remotes::install_version("reticulate", "{version}")'
    return [f"RUN Rscript -e '{code}'"]


_CRAN: Final = {
    "r-cran-curl": "curl",
    "r-cran-pbdzmq": "pbdZMQ",
    "r-cran-rserve": "Rserve",
}
"""Names on CRAN of what Debian has as packages."""
_TESTS: Final = ("r-cran-remotes", "r-cran-testthat")


def _words(command: str) -> str:
    return "[" + ", ".join(f'"{word}"' for word in command.split()) + "]"
