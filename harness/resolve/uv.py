"""One question to uv's resolver: which versions, or why none.

Reads registry metadata only; installs nothing.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from harness.errors import Unavailable
from harness.programs import uv_program
from harness.resolve.explain import NoSolution, condense

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.model.environment import Interpreter, PackageSources

LIMIT_S: Final = 300.0

# Sources of these take minutes to hours to build and want compilers and libraries that a
# plain machine lacks, so a version that has no wheel for the Python at hand does not count
# as one that exists.  Everything else may be built from source where it has no wheel.
WHEELS_ONLY: Final = (
    "grpcio",
    "h5py",
    "jaxlib",
    "ml-dtypes",
    "numpy",
    "openvino",
    "optree",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-io-gcs-filesystem",
    "tensorrt",
    "torch",
    "triton",
)

_UNREACHED: Final = re.compile(
    r"error sending request|dns error|tcp connect error|failed to fetch|request failed after"
    r"|operation timed out|network is unreachable|connection (refused|reset)"
    r"|network connectivity is disabled",
    re.IGNORECASE,
)
_REFUSED: Final = re.compile(r"\b(401 Unauthorized|403 Forbidden)\b")
_ADDRESS: Final = re.compile(r"https?://[^\s`'\"()]+")


class Unreached(Unavailable):
    """An index could not be reached, so that nothing can be said of what there is."""


class Answer(StrEnum):
    """What uv's failure means."""

    NO_SOLUTION = "no solution"
    UNREACHED = "unreached"
    OTHER = "other"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Requirements, what they must not go past, and uv's further options."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def compile_lock(question: Question, interpreter: Interpreter, sources: PackageSources) -> str:
    """Return exact pins, one ``name==version`` a line, for exactly this interpreter.

    Wheels are taken where they exist; where that has no solution, packages outside
    :data:`WHEELS_ONLY` may come as sources.

    Raises
    ------
    NoSolution
        If no set of packages exists; with uv's account in ``detail``.
    Unavailable
        If uv could not ask: an index out of reach, a Python that it does not know.
    """
    ran = _compile(question, interpreter, sources, ("--only-binary", ":all:"))
    if ran.returncode != 0 and "building from source is disabled" in ran.stderr:
        sparing = [part for name in WHEELS_ONLY for part in ("--only-binary", name)]
        ran = _compile(question, interpreter, sources, tuple(sparing))
    if ran.returncode == 0:
        return _pins(ran.stdout)
    raise _fault(ran.stderr, interpreter, sources)


def _compile(
    question: Question,
    interpreter: Interpreter,
    sources: PackageSources,
    options: tuple[str, ...],
) -> subprocess.CompletedProcess[str]:
    # A folder of its own: uv looks for a project's settings in the working folder and above.
    with tempfile.TemporaryDirectory(prefix="harness-resolve-") as name:
        folder = Path(name)
        (folder / "requirements.in").write_text("\n".join(question.requirements) + "\n")
        command: list[str] = [
            uv_program(),
            "pip",
            "compile",
            "requirements.in",
            "--python",
            str(interpreter.executable),
            "--no-python-downloads",
            "--no-header",
            "--no-annotate",
            "--quiet",
            *sources.options,
            *options,
            *question.options,
        ]
        if question.constraints:
            (folder / "constraints.txt").write_text("\n".join(question.constraints) + "\n")
            command += ["--constraint", "constraints.txt"]
        try:
            return subprocess.run(
                command,
                cwd=folder,
                env=sources.env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            message = f"uv gave no answer within {LIMIT_S:.0f} s; the package index may be slow"
            raise Unavailable(message) from None


def _pins(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith(("#", "-")))


def kind_of(stderr: str) -> Answer:
    """Say what uv's failure means, by what it printed."""
    # First: uv may name an unreached index as a hint beside a proper explanation.
    if "No solution found" in stderr:
        return Answer.NO_SOLUTION
    return Answer.UNREACHED if _UNREACHED.search(stderr) else Answer.OTHER


def _fault(
    stderr: str, interpreter: Interpreter, sources: PackageSources
) -> NoSolution | Unavailable:
    kind = kind_of(stderr)
    if _REFUSED.search(stderr):
        return Unavailable(
            f"{index_named_in(stderr, sources)} refused the credentials that this machine has for "
            "it; check the settings of pip or uv"
        )
    if kind is Answer.UNREACHED:
        return Unreached(
            f"{index_named_in(stderr, sources)} could not be reached, so it cannot be said which "
            "packages there are; check the network, or name a mirror in pip's or uv's settings"
        )
    if kind is Answer.NO_SOLUTION:
        clause = condense(stderr, interpreter.version)
        return NoSolution(
            f"no set of packages exists for Python {interpreter.version}: {clause}", detail=stderr
        )
    if "Failed to inspect Python" in stderr:
        return Unavailable(
            f"uv cannot resolve for Python {interpreter.version}: it needs 3.6 or newer"
        )
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = _ADDRESS.sub("<address>", "; ".join(lines[:2])) or "it said nothing"
    return Unavailable(f"uv could not resolve for Python {interpreter.version}: {said}")


def index_named_in(stderr: str, sources: PackageSources) -> str:
    """What kind of place an address in uv's message is, without the address itself.

    A configured address may carry credentials or a name that is nobody else's business.
    """
    addresses = _ADDRESS.findall(stderr)
    host = urlsplit(addresses[0]).hostname if addresses else None
    configured = " ".join(
        sources.env.get(name, "")
        for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL",
                     "UV_FIND_LINKS")
    )  # fmt: skip
    if host is not None and host in configured:
        return "a package index of this machine's configuration"
    if host is not None and "/whl/" in addresses[0]:
        return "PyTorch's own package index"
    return "the Python package index"


def requirement(name: str, version: str | None) -> str:
    """Put a name and a version of the matrix as a requirement.

    A version of one or two parts names a series: ``2.13`` is ``==2.13.*``; one of three parts
    or more is exact (``2.13.0``), as is one with a suffix (``2.13rc1``).  What carries a
    comparison of its own (``<2``) stays as it is; ``None`` is the newest.
    """
    if version is None or not version.strip():
        return name
    version = version.strip()
    if not version[0].isdigit():
        return f"{name}{version}"
    return f"{name}=={version}.*" if _SERIES.fullmatch(version) else f"{name}=={version}"


_SERIES: Final = re.compile(r"\d+(\.\d+)?")


def sorted_requirements(requirements: Sequence[str]) -> tuple[str, ...]:
    """Sort and take out what is there twice, so that the order of a matrix does not matter."""
    return tuple(sorted({" ".join(part.split()) for part in requirements if part.strip()}))
