"""R packages built from their source, each time from a fresh copy, for one R.

The R of a Debian suite is joined by a root folder of the same suite that has compilers; an R of
this machine builds by itself.  Either way the build has no network, and can write to nothing
but its own folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from harness.errors import BuildFailure, MachineFault, Unavailable
from harness.model.environment import RToolchain, SourceLibrary, Store
from harness.provision.process import Ran, run
from harness.provision.r import providers
from harness.provision.r.provider import BringsCompilers
from harness.provision.r.root import enter
from harness.provision.r.source import Source
from harness.provision.r.system_packages import BWRAP, require

_KIND: Final = "r-library"
_LAYOUT: Final = "1"
"""Part of the key: changes with what the folder holds."""
_LIMIT_S: Final = 1200.0
_KEPT: Final = 6000
"""Characters of a build's output that are kept with a failure: the end."""
_LIBRARY: Final = "library"
_SAID: Final = "packages.json"
_LOG: Final = "build.log"
_WHY: Final = (
    # A compiler's, with the place, and R's own on a file that it cannot parse.
    r"[^\s:]+:\d+:(?:\d+:)? (?:fatal )?error: [^\n]+",
    # R names the folder or the file, by the length of its path.
    r"[^\s:]*/R(?:/[^\s:]*)?:\d+:\d+: [^\n]+",
    r"[^\s:]*/[^\s:]*:\d+:\d+: unexpected [^\n]+",
    r"undefined symbol: \S+",
    r"\S+: cannot open shared object file[^\n]*",
    r"(?:fatal )?error: [^\n]+",
    r"could not locate \S+",
    r"there is no package called \S+",
    r"ERROR: (?!loading failed|compilation failed|lazy loading failed|configuration failed)[^\n]+",
    r"ERROR: [^\n]+",
)
"""What a build's output says of its failure, the most telling first."""


class RLibrary(msgspec.Struct, frozen=True, kw_only=True):
    """Packages that were built: the folder for ``R_LIBS``, and their versions by name."""

    folder: Path
    packages: dict[str, str]


def build_r_packages(
    toolchain: RToolchain,
    sources: Sequence[Source],
    library: SourceLibrary,
    *,
    below: Sequence[RLibrary] = (),
    store: Store,
    notify: Callable[[str], None],
) -> RLibrary:
    """Return a library with ``sources`` built for ``toolchain``, in their order.

    Parameters
    ----------
    sources
        Those of ``library.packages``.
    library
        What the build has beside R: variables, folders, scripts.
    below
        Libraries that were built before, which the packages may need.

    Raises
    ------
    BuildFailure
        If a package does not build: with what its build says of why.
    Unavailable
        If the compilers cannot be had here.
    MachineFault
        If this machine lacks a program, or room.
    """
    where = [toolchain.source, toolchain.version]
    if toolchain.root is None:
        where.append(str(toolchain.rscript))
    if toolchain.lent is not None and not library.binds:
        # Newer libraries are there for a Python, and this build sees none.
        toolchain = msgspec.structs.replace(toolchain, lent=None)
    if toolchain.lent is not None:
        where += (toolchain.lent.suite, *toolchain.lent.packages)
    asked = msgspec.structs.replace(library, packages=())
    digests = [source.digest for source in sources]
    parts = [_LAYOUT, *where, *digests, *(str(other.folder) for other in below)]
    stamp = "\0".join(parts).encode() + msgspec.json.encode(asked, enc_hook=str)
    bench = _Bench(
        toolchain=toolchain,
        sources=sources,
        library=library,
        below=below,
        store=store,
        notify=notify,
    )
    words = ", ".join(f"{source.name} {source.version}" for source in sources)
    folder = store.ensure(
        _KIND,
        hashlib.sha256(stamp).hexdigest(),
        bench.build,
        description=f"{words} for R {toolchain.version} of {toolchain.source}",
    )
    versions = msgspec.json.decode((folder / _SAID).read_bytes(), type=dict[str, str])
    return RLibrary(folder=folder / _LIBRARY, packages=versions)


def with_libraries(toolchain: RToolchain, libraries: Sequence[RLibrary]) -> RToolchain:
    """Return the toolchain with ``libraries`` before its own; those that were built last first."""
    folders = [library.folder for library in reversed(libraries)]
    known = toolchain.env.get("R_LIBS")
    packages = dict(toolchain.packages)
    for library in libraries:
        packages.update(library.packages)
    stamp = "\0".join([toolchain.digest, *map(str, folders)])
    return msgspec.structs.replace(
        toolchain,
        packages=packages,
        binds=(*toolchain.binds, *folders),
        env={
            **toolchain.env,
            "R_LIBS": os.pathsep.join([*map(str, folders), *((known,) if known else ())]),
        },
        digest=hashlib.sha256(stamp.encode()).hexdigest(),
    )


class _Bench(msgspec.Struct, frozen=True, kw_only=True):
    """One build: what is built, for which R, with what."""

    toolchain: RToolchain
    sources: Sequence[Source]
    library: SourceLibrary
    below: Sequence[RLibrary]
    store: Store
    notify: Callable[[str], None]

    def build(self, folder: Path) -> None:
        """Fill ``folder``: an entry of the store."""
        parts = (_LIBRARY, "source", "tools", "scratch")
        target, copies, tools, scratch = (folder / part for part in parts)
        for made in (target, copies, tools, scratch):
            made.mkdir()
        for name, script in self.library.tools.items():
            path = tools / name
            path.write_text(script, encoding="utf-8")
            path.chmod(0o755)
        command = self._inside(target, tools, scratch)
        for source in self.sources:
            self.notify(f"building {source.name} {source.version} for R {self.toolchain.version}")
            copy = source.unpack(copies)
            install = ("CMD", "INSTALL", "--no-docs", f"--library={target}", copy)
            ran = run([*command, *install], limit_s=_LIMIT_S)
            with (folder / _LOG).open("a", encoding="utf-8") as log:
                log.write(ran.stdout + ran.stderr)
            if not ran.ok:
                raise _failure(source, self.toolchain, ran, folder)
        versions = {source.name: source.version for source in self.sources}
        (folder / _SAID).write_bytes(msgspec.json.encode(versions))
        for spent in (copies, tools, scratch):
            shutil.rmtree(spent)

    def _inside(self, target: Path, tools: Path, scratch: Path) -> tuple[str, ...]:
        """Return the command that runs R where packages can be built for it."""
        folder = target.parent
        below = [library.folder for library in reversed(self.below)]
        env = {
            "R_LIBS": os.pathsep.join(map(str, (target, *below))),
            # Nobody's own compiler flags.
            "R_MAKEVARS_USER": os.devnull,
            "MAKEFLAGS": f"-j{min(4, os.cpu_count() or 1)}",
            **self.library.env,
        }
        try:
            require(BWRAP, notify=self.notify)
        except MachineFault as error:
            # Cells that need nothing built fare well without it.
            raise Unavailable(str(error)) from error
        toolchain = self.toolchain
        if toolchain.root is not None:
            env["PATH"] = f"{tools}:/usr/bin:/bin"
            readable = (*self.library.binds, *below)
            return (*enter(self._root(), readable, writable=(folder,), env=env), "/usr/bin/R")
        for program in ("make", "cc"):
            if shutil.which(program) is None:
                raise Unavailable(
                    f"this machine has no {program}, with which R packages are built: run "
                    "`sudo apt-get install r-base-dev` (or what your system calls it)"
                )
        folder_of_r = toolchain.rscript.parent
        env["PATH"] = f"{tools}:{folder_of_r}:{os.environ.get('PATH', os.defpath)}"
        inside = _enter_machine(folder, scratch, {**toolchain.env, **env})
        return (*inside, str(folder_of_r / "R"))

    def _root(self) -> Path:
        source = self.toolchain.source
        name = source.partition(":")[0]
        provider: object = next((one for one in providers() if one.name == name), None)
        if not isinstance(provider, BringsCompilers):
            raise Unavailable(f"nothing can be built for the R of {source}: it has no compilers")
        return provider.builder(
            self.toolchain, store=self.store, packages=self.library.needs, notify=self.notify
        )


def _enter_machine(folder: Path, scratch: Path, env: dict[str, str]) -> tuple[str, ...]:
    """Command that runs a program on this machine's own files; it may write to ``folder``."""
    env = {"LC_ALL": "C.UTF-8", "HOME": str(scratch), "TMPDIR": str(scratch), **env}
    variables = [part for pair in env.items() for part in ("--setenv", *pair)]
    return (
        *("bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"),
        *("--bind", str(folder), str(folder)),
        *("--unshare-all", "--die-with-parent", "--new-session", "--chdir", "/", "--clearenv"),
        *variables,
    )


def _failure(source: Source, toolchain: RToolchain, ran: Ran, folder: Path) -> BuildFailure:
    what = f"{source.name} {source.version} does not build for R {toolchain.version}"
    # The same failure reads the same on every machine.
    said = (ran.stdout + ran.stderr).replace(str(folder), "BUILD").replace(str(Path.home()), "~")
    if ran.timed_out:
        return BuildFailure(f"{what} within {_LIMIT_S / 60:.0f} minutes", said[-_KEPT:], said)
    return BuildFailure(f"{what}: {why(said)}", said[-_KEPT:], said)


def why(said: str) -> str:
    """Return what the output of a build says of its failure, in one clause."""
    for pattern in _WHY:
        if found := re.search(pattern, said):
            return found.group().strip()
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without a word"
