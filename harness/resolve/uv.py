"""One question to uv's resolver: which versions, or why none.

Reads registry metadata only; installs nothing.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from harness.errors import Unavailable
from harness.programs import uv_program
from harness.resolve.account import parse_account
from harness.resolve.explain import NoSolution, condense
from harness.resolve.places import SETTINGS, indexes_are_off, network_is_off, places
from harness.resolve.python import Absent, Python

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.model.environment import PackageSources

LIMIT_S: Final = 300.0
BACKEND: Final = "--torch-backend"
"""uv's option that adds PyTorch's own package index."""

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

_LIBCS: Final = (17, 28, *range(31, 41))
"""Releases 2.x of the GNU C library that uv has a name for."""

_UNREACHED: Final = re.compile(
    r"error sending request|dns error|tcp connect error|failed to fetch|request failed after"
    r"|operation timed out|network is unreachable|connection (refused|reset)"
    r"|network connectivity is disabled",
    re.IGNORECASE,
)
_CUT_SHORT: Final = "Failed to read from zip file"
_REFUSED: Final = re.compile(r"\b(401 Unauthorized|403 Forbidden)\b")
_ADDRESS: Final = re.compile(r"https?://[^\s`'\"()]+")


_SWITCHED_OFF: Final = re.compile(r"was not found in the cache|network was disabled")


_NOBODY_THERE: Final = re.compile(
    r"Name or service not known|nodename nor servname|connection refused|network is unreachable",
    re.IGNORECASE,
)


class Unreached(Unavailable):
    """An index could not be asked, so that nothing can be said of what there is.

    ``passing`` says that it may be otherwise in a moment: a name that is not known stays so.
    """

    def __init__(self, message: str, *, passing: bool = True) -> None:
        super().__init__(message)
        self.passing = passing


class Meaning(StrEnum):
    """What uv's failure means."""

    NO_SOLUTION = "no solution"
    UNREACHED = "unreached"
    OTHER = "other"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Requirements, what they must not go past, and uv's further options."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a question is asked: ``retries`` of what did not come, or with no network at all.

    ``retries`` is uv's own number where it is ``None``.
    """

    retries: int | None = None
    offline: bool = False


def compile_lock(
    question: Question, python: Python, sources: PackageSources, manner: Manner | None = None
) -> str:
    """Return exact pins, one ``name==version`` a line, for exactly this Python.

    Wheels are taken where they exist; where that has no solution, packages outside
    :data:`WHEELS_ONLY` may come as sources.

    Raises
    ------
    NoSolution
        If no set of packages exists; with uv's account in ``detail``.
    Unreached
        If an index was not reached.
    Unavailable
        If uv could not answer for another reason: a Python that it does not know.
    """
    manner = manner or Manner()
    ran = _compile(question, python, sources, ("--only-binary", ":all:"), manner)
    if ran.returncode != 0 and "building from source is disabled" in ran.stderr:
        sparing = [part for name in WHEELS_ONLY for part in ("--only-binary", name)]
        ran = _compile(question, python, sources, tuple(sparing), manner)
    if ran.returncode == 0:
        return _pins(ran.stdout)
    fault = _fault(ran.stderr, python, sources)
    offline = manner.offline or network_is_off(sources)
    if offline and isinstance(fault, NoSolution) and not indexes_are_off(sources):
        # What uv has kept may be of last year: that there is something is true all the same,
        # that there is nothing is not.
        raise Unreached(NOTHING_KNOWN)
    raise fault


NOTHING_KNOWN: Final = (
    "nothing is known: the package index is out of reach, and no answer has been kept; check the "
    "network, or name a mirror in pip's or uv's settings"
)


def _compile(
    question: Question,
    python: Python,
    sources: PackageSources,
    options: tuple[str, ...],
    manner: Manner,
) -> subprocess.CompletedProcess[str]:
    # A folder of its own: uv looks for a project's settings in the working folder and above.
    with tempfile.TemporaryDirectory(prefix="harness-resolve-") as name:
        folder = Path(name)
        (folder / "requirements.in").write_text("\n".join(question.requirements) + "\n")
        given = places(sources)
        env = given.env
        if given.settings:
            (folder / SETTINGS).write_text(given.settings)
        if manner.retries is not None:
            env.setdefault("UV_HTTP_RETRIES", str(manner.retries))
        command: list[str] = [
            uv_program(),
            "pip",
            "compile",
            "requirements.in",
            *_python_options(python),
            "--no-python-downloads",
            "--no-header",
            "--no-annotate",
            "--quiet",
            *sources.options,
            *options,
            *question.options,
        ]
        if manner.offline:
            command.append("--offline")
        if question.constraints:
            (folder / "constraints.txt").write_text("\n".join(question.constraints) + "\n")
            command += ["--constraint", "constraints.txt"]
        try:
            return subprocess.run(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            message = f"uv gave no answer within {LIMIT_S:.0f} s; the package index may be slow"
            raise Unreached(message) from None


def _python_options(python: Python) -> tuple[str, ...]:
    if not isinstance(python, Absent) and python.root is None:
        return ("--python", str(python.executable))
    # Our own runs what must be run to read a source's metadata; the answer is for the other.
    own = ("--python", sys.executable, "--python-version", python.version)
    if isinstance(python, Absent) or python.libc is None:
        return own
    return (*own, "--python-platform", platform_words(python.libc))


def platform_words(libc: str) -> str:
    """Return uv's name for this kind of machine with a C library of release ``libc``.

    The newest that uv knows and that is no newer.
    """
    known = max((minor for minor in _LIBCS if minor <= int(libc.split(".")[1])), default=_LIBCS[0])
    return f"{platform.machine()}-manylinux_2_{known}"


def _pins(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith(("#", "-")))


def kind_of(stderr: str) -> Meaning:
    """Say what uv's failure means, by what it printed."""
    if _SWITCHED_OFF.search(stderr):
        return Meaning.UNREACHED
    # First: uv may name an unreached index as a hint beside a proper explanation.
    if "No solution found" in stderr:
        return Meaning.NO_SOLUTION
    return Meaning.UNREACHED if _UNREACHED.search(stderr) else Meaning.OTHER


def _fault(stderr: str, python: Python, sources: PackageSources) -> NoSolution | Unavailable:
    meaning = kind_of(stderr)
    if _REFUSED.search(stderr):
        return Unreached(
            f"{index_named_in(stderr, sources)} refused the credentials that this machine has for "
            "it; check the settings of pip or uv"
        )
    if meaning is Meaning.UNREACHED:
        if _SWITCHED_OFF.search(stderr):
            return Unreached(NOTHING_KNOWN)
        return Unreached(
            f"nothing is known: {index_named_in(stderr, sources)} could not be reached, so it "
            "cannot be said which packages there are; check the network, or name a mirror in "
            "pip's or uv's settings",
            passing=_NOBODY_THERE.search(stderr) is None,
        )
    if _CUT_SHORT in stderr:
        # uv takes it for a package without a valid file, of which no solution can be made.
        return Unreached(
            "nothing is known: the file of a package could not be read, as where a download breaks "
            "off; check the network, then run again",
            passing=True,
        )
    if meaning is Meaning.NO_SOLUTION:
        return NoSolution(
            f"no set of packages exists for Python {python.version}: "
            f"{condense(stderr, python.version)}",
            detail=_ADDRESS.sub("<address>", stderr),
            asked=parse_account(stderr).asked,
        )
    if "Failed to inspect Python" in stderr:
        return Unavailable(f"uv cannot resolve for Python {python.version}: it needs 3.6 or newer")
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = _ADDRESS.sub("<address>", "; ".join(lines[:2])) or "it said nothing"
    return Unavailable(f"uv could not resolve for Python {python.version}: {said}")


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
