"""What provisioning hands on: an R, a Python environment, and the lock of what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """What exactly is to be installed: the resolver's answer.

    ``text`` is in the format of ``requirements.txt``, one ``name==version`` a line;
    ``digest`` is of the text and of the interpreter that it was resolved for.
    ``options`` are the further options of the installer that the answer depends on.
    """

    text: str
    digest: str
    options: tuple[str, ...] = ()

    @property
    def versions(self) -> dict[str, str]:
        """Version of each package by its normalised name."""
        pins = (line.split(";")[0] for line in self.text.splitlines())
        pairs = (
            pin.split("==", 1) for pin in pins if "==" in pin and not pin.lstrip().startswith("#")
        )
        return {name.strip().lower().replace("_", "-"): version.strip() for name, version in pairs}


class PackageSources(msgspec.Struct, frozen=True, kw_only=True):
    """Where packages come from: the machine's configuration, as uv takes it.

    ``env`` is the whole environment for uv, with the indexes in it: they may carry
    credentials, which do not belong on a command line that others can list.  ``options`` are
    for the command line.  ``digest`` changes when any of it does.  ``notes`` are sentences on
    what could not be taken over, free of credentials.
    """

    options: tuple[str, ...] = ()
    env: dict[str, str] = {}
    digest: str = ""
    notes: tuple[str, ...] = ()


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """A Python found on this machine, with what it said of itself when it was run.

    ``libpython`` is ``None`` for a Python without a shared library, which cannot be embedded.
    ``root`` is the root folder that the Python lives in, where it is not this machine's: the
    other paths are then as they are inside.  ``libc`` is the release of the root folder's C
    library.  ``source`` says whose the Python is: ``machine``, ``debian:sid``.
    """

    executable: Path
    version: str
    prefix: Path
    libpython: Path | None
    root: Path | None = None
    libc: str | None = None
    source: str = "machine"


class PythonEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual environment with a cell's packages.

    The executable has the same path inside a cell as outside.  ``binds`` are the folders
    that a cell must see for the environment to work, read-only.  ``overlay`` is a folder of
    further packages, those of the path, which goes onto ``PYTHONPATH``; its lock names them
    alone.
    """

    executable: Path
    interpreter: Interpreter
    lock: Lock
    binds: tuple[Path, ...]
    overlay: Path | None = None
    overlay_lock: Lock | None = None


class SourceTree(msgspec.Struct, frozen=True, kw_only=True):
    """The source of a bridge, which is built for a cell.

    ``name`` is that of the package, ``version`` what the source states (empty where only its
    build tells); ``place`` is a folder, or a tar archive, that nobody changes any more, and
    ``digest`` is of what is in it.  ``origin`` says what the user named: ``folder``,
    ``archive``, ``git`` or ``repository``.  ``commit`` is git's, with ``+changes`` where the
    folder had some that were not committed; ``None`` where git knows nothing of it.
    """

    name: str
    version: str
    place: Path
    digest: str
    origin: str
    commit: str | None = None


class LentLibraries(msgspec.Struct, frozen=True, kw_only=True):
    """Libraries of a root folder that are of a newer suite than the rest of it.

    ``suite`` lends them; ``libc`` is the release of its C library; ``packages`` are Debian's
    names of those that were asked for.
    """

    suite: str
    libc: str
    packages: tuple[str, ...]


class RToolchain(msgspec.Struct, frozen=True, kw_only=True):
    """An R with its bridges.

    ``root`` is the folder that becomes ``/`` of the cell; ``None`` for an R of this machine.
    ``rscript`` is its path as the cell sees it.  ``packages`` are the versions of the R
    packages by name.  ``source`` says where it comes from: ``debian:trixie``, ``machine``.
    ``built`` are the sources of those that were built for it, by name.  ``lent`` are libraries
    that the cell's Python needs newer than the suite has them.
    """

    version: str
    rscript: Path
    root: Path | None
    packages: dict[str, str]
    source: str
    digest: str
    binds: tuple[Path, ...] = ()
    env: dict[str, str] = {}
    built: dict[str, SourceTree] = {}
    lent: LentLibraries | None = None


class SourcePackage(msgspec.Struct, frozen=True, kw_only=True):
    """An R package that is built from its source.

    ``version`` is ``None`` where the newest will do; one of two parts is a series, of which the
    newest is taken; ``source`` is the tree that the run was given for the package.
    ``location`` is the folder of the unpacked source, or the tar archive; ``None`` where the
    CRAN-like repository of the user's settings has it.
    """

    name: str
    version: str | None = None
    location: str | None = None


class SourceLibrary(msgspec.Struct, frozen=True, kw_only=True):
    """R packages that are built together, in this order, into one library for a cell's R.

    ``env`` and ``binds`` are what the build has beside R and a compiler; ``tools`` are scripts
    by name that come first on its ``PATH``; ``needs`` are packages of the R's own source that
    must be there (reticulate is built with ``Rcpp``).  ``stamp`` is whatever else the result
    depends on: where it changes, the library is built anew.
    """

    packages: tuple[SourcePackage, ...]
    env: dict[str, str] = {}
    binds: tuple[Path, ...] = ()
    tools: dict[str, str] = {}
    needs: tuple[str, ...] = ()
    stamp: str = ""


class Provisioned(msgspec.Struct, frozen=True, kw_only=True):
    """All that a cell needs to start; ``r`` is ``None`` on the ``native`` path.

    ``bridge_source`` is the source tree of the bridge, for a probe that runs its own tests;
    ``bridge_tree`` is what the bridge was built from, where it was built for the cell.
    """

    python: PythonEnvironment
    r: RToolchain | None
    bridge_source: Path | None = None
    bridge_tree: SourceTree | None = None

    @property
    def root(self) -> Path | None:
        """The folder that becomes ``/`` of the cell; ``None`` for this machine's own."""
        return self.python.interpreter.root if self.r is None else self.r.root


class Store(Protocol):
    """A content-addressed folder of things that are expensive to build."""

    def ensure(self, kind: str, key: str, build: Build, *, description: str = "") -> Path:
        """Return the folder of ``kind`` and ``key``, built by ``build`` where it is not whole.

        ``description`` is one line on what it is, for whoever lists the store.
        """
        ...


class Build(Protocol):
    """Fills an empty folder; what it raises leaves nothing behind."""

    def __call__(self, folder: Path, /) -> None:
        """Build into ``folder``."""
        ...
