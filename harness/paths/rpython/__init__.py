"""R holds Python in its own process, by the R package rPython, which carries JSON alone.

The package is built from its source for each R and each Python: as published, or with the
remedies without which it does not work with a Python of today.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.errors import Unavailable
from harness.model.cell import SOURCE, Axes
from harness.model.environment import (
    Interpreter,
    Provisioned,
    PythonEnvironment,
    SourceLibrary,
    SourcePackage,
)
from harness.paths.base import Launch

REMEDIES: Final = "remedies"
"""After a ``+`` in the axis ``bridge``: built and started with what has become necessary."""
_SYSTEM_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_DELEGATE: Final = '#!/bin/sh\nexec "{program}" "$@"\n'
# Python before 3.8 does not know --embed, and needs none.
_EMBED: Final = """#!/bin/sh
if "{program}" --embed "$@" > /dev/null 2>&1; then set -- --embed "$@"; fi
exec "{program}" "$@"
"""


class RPython:
    """R loads a file of Python and calls its functions; JSON text crosses, and nothing else."""

    name = "rpython"
    uses_r = True
    bridge_package: str | None = "rPython"
    r_packages: tuple[str, ...] = ()
    transports: tuple[str, ...] = ()
    probes: frozenset[str] = frozenset({"init", "train", "call", "convert", "error", "transfer"})
    files = Path(__file__).parent

    def default_bridge(self, r: str) -> str | None:  # noqa: ARG002
        """Return the one version that there is, with the remedies."""
        return f"0.0-6+{REMEDIES}"

    def requirements(self, axes: Axes) -> tuple[str, ...]:  # noqa: ARG002
        """Return the Python packages that the path needs beside the framework: none."""
        return ()

    def r_libraries(self, axes: Axes, python: PythonEnvironment) -> tuple[SourceLibrary, ...]:
        """Say what is to be built: RJSONIO once for each R, rPython for each Python as well.

        Raises ``Unavailable`` where the interpreter cannot be embedded or built against.
        """
        version, variant = _parted(axes.bridge)
        interpreter = python.interpreter
        config = _config_of(interpreter)
        tools = {
            "python": _DELEGATE.format(program=interpreter.executable),
            "python-config": _DELEGATE.format(program=config),
        }
        env: dict[str, str] = {}
        if variant == REMEDIES:
            tools["python-config-embed"] = _EMBED.format(program=config)
            env = {
                "PYTHONCONFIG": "python-config-embed",
                # For an interpreter that does not say itself where its library lies.
                "LD_LIBRARY_PATH": str(_libpython_of(interpreter).parent),
            }
        if interpreter.root is None:
            needs: tuple[str, ...] = ()
            changed = str(interpreter.executable.stat().st_mtime_ns)
        else:
            # Where it is built, the suite's own packages bring this Python and its headers.
            needs, changed = (f"python{_series(interpreter)}-dev",), interpreter.source
        return (
            SourceLibrary(packages=(SourcePackage(name="RJSONIO"),)),
            SourceLibrary(
                packages=(SourcePackage(name="rPython", version=version or None),),
                env=env,
                binds=python.binds,
                tools=tools,
                needs=needs,
                stamp=f"{interpreter.version} {changed}",
            ),
        )

    def launch(self, axes: Axes, provisioned: Provisioned, files: Path) -> Launch:
        """Run the driver with the cell's R, and with the cell's Python first on ``PATH``.

        Python finds itself there when it is embedded, and by that its environment.
        """
        if provisioned.r is None:
            raise Unavailable(f"the path rpython needs an R, and there is none for {axes.r}")
        rscript, python = provisioned.r.rscript, provisioned.python
        folders = dict.fromkeys(map(str, (python.executable.parent, rscript.parent)))
        env = {"PATH": ":".join((*folders, _SYSTEM_PATH))}
        if _parted(axes.bridge)[1] == REMEDIES:
            env["RPYTHON_LIBPYTHON"] = str(_libpython_of(python.interpreter))
        return Launch(argv=(str(rscript), "--no-init-file", str(files / "driver.R")), env=env)

    def why_not(self, probe: str, axes: Axes) -> str | None:
        """Say why the path cannot do ``probe`` in a cell."""
        if probe == "callback":
            return (
                "rPython cannot call back: it carries JSON text from R to Python, and no function"
            )
        if probe not in self.probes:
            return f"the path rpython has no driver for the probe {probe}"
        variant = _parted(axes.bridge)[1]
        if variant not in ("", REMEDIES):
            return f"rPython is built as published, or with +{REMEDIES}; there is no +{variant}"
        return None


def _parted(bridge: str | None) -> tuple[str, str]:
    """Part the axis into a version, empty for any, and the way of building.

    A source tree is built with the remedies, as what is published is by default.
    """
    if bridge is None or bridge == SOURCE:
        return bridge or "", REMEDIES
    version, _, variant = bridge.partition("+")
    return version, variant


def _config_of(interpreter: Interpreter) -> Path:
    """Return the program that tells how to link to the interpreter."""
    version = _series(interpreter)
    folder = interpreter.executable.parent
    if interpreter.root is not None:
        return folder / f"python{version}-config"
    for name in (f"python{version}-config", "python3-config", "python-config"):
        if (folder / name).is_file():
            return folder / name
    raise Unavailable(
        f"Python {interpreter.version} ({interpreter.executable}) has no python{version}-config, "
        f"by which rPython is built: install its headers (Debian: python{version}-dev)"
    )


def _series(interpreter: Interpreter) -> str:
    return ".".join(interpreter.version.split(".")[:2])


def _libpython_of(interpreter: Interpreter) -> Path:
    if interpreter.libpython is None:
        raise Unavailable(
            f"Python {interpreter.version} ({interpreter.executable}) has no shared libpython, so "
            "that nothing can embed it: build it with --enable-shared"
        )
    return interpreter.libpython


PATH = RPython()
