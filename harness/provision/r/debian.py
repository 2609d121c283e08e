"""R from a Debian suite: a root folder made by mmdebstrap, entered with bubblewrap.

One archive serves every suite, and each suite has an R, bridges and a Python that were
released together.  The archive's signatures are always verified.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import MachineFault, Unavailable
from harness.model.environment import RToolchain, Store
from harness.provision.pipconfig import redact
from harness.provision.process import Ran, end, raise_if_full, run, start
from harness.provision.r.apt_sources import debian_mirror
from harness.provision.r.provider import Offer, RProvider
from harness.provision.r.readback import Readback, ask
from harness.provision.r.suites import Suite, suites
from harness.provision.r.system_packages import (
    ARCHIVE_KEYS,
    BWRAP,
    KEYRING,
    MMDEBSTRAP,
    TAR,
    require,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_KIND: Final = "r-debian"
_BUILDER_KIND: Final = "r-builder"
_LAYOUT: Final = "1"
"""Part of the key: changes with what the folder holds."""
_ROOT: Final = "root"
_LOG: Final = "mmdebstrap.log"
_SAID: Final = "toolchain.json"
_LIMIT_S: Final = 1800.0
RSCRIPT: Final = Path("/usr/bin/Rscript")

# In every root, so that cells of all paths share one: the bridge, the exchange format, and a
# Python with its shared library, which is what R's LD_LIBRARY_PATH puts before others.
_BASE: Final = ("r-base-core", "r-cran-reticulate", "r-cran-jsonlite", "python3")
_IN_R: Final = frozenset(
    {"base", "compiler", "datasets", "grDevices", "graphics", "grid", "methods", "parallel",
     "splines", "stats", "stats4", "tcltk", "tools", "utils"}
)  # fmt: skip
_TO_BUILD: Final = ("r-base-dev",)
_SYSTEM_FOLDERS: Final = frozenset({"bin", "etc", "lib", "lib32", "lib64", "sbin", "usr", "var"})
_LEFT_OUT: Final = ("doc", "info", "locale", "man")
_LIBRARIES: Final = "usr/share"
_QUOTED: Final = 300
"""Characters of another program's complaint that a message quotes."""
_UNREACHED: Final = re.compile(
    r"could not resolve|temporary failure resolving|unable to connect|connection failed"
    r"|could not connect|connection timed out|failed to fetch|network is unreachable",
    re.IGNORECASE,
)
_UNSIGNED: Final = re.compile(r"NO_PUBKEY|public key is not available|EXPKEYSIG|BADSIG")
_MISSING: Final = re.compile(r"Unable to locate package (\S+)|has no installation candidate")
_UNPRIVILEGED: Final = re.compile(r"newuidmap|newgidmap|subuid|subgid|unshare|user namespace")


class Debian:
    """Provides R from Debian's suites."""

    name = "debian"
    rank = 10

    def versions(self) -> tuple[Offer, ...]:
        """What the suites ship, the newest suite first."""
        return tuple(
            Offer(
                version=suite.r,
                description=f"Debian {suite.name}",
                rolling=suite.rolling,
            )
            for suite in reversed(suites())
        )

    def provide(
        self,
        offer: Offer,
        *,
        store: Store,
        packages: Sequence[str] = (),
        notify: Callable[[str], None],
    ) -> RToolchain:
        """Bring the R of a suite; see :class:`RProvider`."""
        suite = next(suite for suite in suites() if offer.description == f"Debian {suite.name}")
        wanted = debian_packages(suite, packages)
        key = _key(suite, wanted)
        folder = store.ensure(
            _KIND,
            key,
            partial(_build, suite, wanted, notify),
            description=f"R {suite.r} of Debian {suite.name}, {len(wanted)} packages asked for",
        )
        said = _said(folder)
        absent = [name for name in packages if name not in said.packages]
        if absent:
            raise Unavailable(
                f"the R of Debian {suite.name} has no package {', '.join(absent)} although it was "
                "installed"
            )
        return RToolchain(
            version=said.version,
            rscript=RSCRIPT,
            root=folder / _ROOT,
            packages=said.packages,
            source=f"debian:{suite.name}",
            digest=hashlib.sha256(key.encode() + msgspec.json.encode(said)).hexdigest(),
        )

    def builder(
        self,
        toolchain: RToolchain,
        *,
        store: Store,
        packages: Sequence[str] = (),
        notify: Callable[[str], None],
    ) -> Path:
        """Bring a root folder of the toolchain's suite in which R packages can be built.

        It has compilers, which no cell is to see, and is kept apart from the toolchain's own;
        see :class:`RProvider`.
        """
        suite = next(suite for suite in suites() if toolchain.source == f"debian:{suite.name}")
        wanted = tuple(sorted({*_TO_BUILD, *_named_by_debian(packages)}))
        folder = store.ensure(
            _BUILDER_KIND,
            _key(suite, wanted),
            partial(_build, suite, wanted, notify, what="the compilers for R"),
            description=f"compilers for R {suite.r} of Debian {suite.name}",
        )
        said = _said(folder)
        if said.version != toolchain.version:
            raise Unavailable(
                f"Debian {suite.name} moved on: its compilers are for R {said.version}, but the "
                f"cell has R {toolchain.version}; run `harness cache --prune` to bring both anew"
            )
        return folder / _ROOT


def debian_packages(suite: Suite, packages: Sequence[str]) -> tuple[str, ...]:
    """Names of Debian's packages for R packages: ``Rserve`` is in ``r-cran-rserve``.

    What is a name of Debian's already (``r-cran-rserve``, ``libpython3.13``) stays as it is.
    """
    return tuple(sorted({*_BASE, suite.libpython, *_named_by_debian(packages)}))


def _named_by_debian(packages: Sequence[str]) -> set[str]:
    wanted = set()
    for name in packages:
        if name in _IN_R:
            continue
        is_debians = name.startswith(("r-cran-", "r-bioc-", "lib", "python3"))
        wanted.add(name if is_debians else f"r-cran-{name.lower()}")
    return wanted


def _key(suite: Suite, packages: Sequence[str]) -> str:
    parts = (_LAYOUT, suite.name, platform.machine(), *packages)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _said(folder: Path) -> Readback:
    return msgspec.json.decode((folder / _SAID).read_bytes(), type=Readback)


def enter(
    root: Path,
    binds: Sequence[Path] = (),
    *,
    writable: Sequence[Path] = (),
    env: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Command that runs a program in ``root``, which is read-only, without a network.

    Parameters
    ----------
    binds
        Folders of the machine that the program sees at their own path, read-only.
    writable
        The same, but it may write there.
    env
        Variables beside ``PATH``, ``LC_ALL`` and ``HOME``, which it may set anew.
    """
    # `/` itself is a folder in memory, and what is in the root is bound into it one by one:
    # in a root that is bound whole and read-only, bubblewrap could not make the folders on
    # which others are to be bound.
    arguments = ["bwrap"]
    for entry in sorted(root.iterdir()):
        target = f"/{entry.name}"
        if entry.is_symlink():
            arguments += ["--symlink", str(entry.readlink()), target]
        elif entry.name in _SYSTEM_FOLDERS:
            arguments += ["--ro-bind", str(entry), target]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108
    for bind in binds:
        arguments += ["--ro-bind", str(bind), str(bind)]
    for bind in writable:
        arguments += ["--bind", str(bind), str(bind)]
    variables = [part for pair in (env or {}).items() for part in ("--setenv", *pair)]
    return (
        *arguments,
        *("--unshare-all", "--die-with-parent", "--new-session", "--chdir", "/", "--clearenv"),
        *("--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LC_ALL", "C.UTF-8"),
        *("--setenv", "HOME", "/tmp"),  # noqa: S108 - the cell's own
        *variables,
    )


def _build(
    suite: Suite,
    packages: Sequence[str],
    notify: Callable[[str], None],
    folder: Path,
    *,
    what: str = "R",
) -> None:
    require(MMDEBSTRAP, BWRAP, TAR, ARCHIVE_KEYS, notify=notify)
    mirror = debian_mirror()
    notify(f"bringing {what} {suite.r} from Debian {suite.name}: one to three minutes, once")
    started = time.monotonic()
    root = folder / _ROOT
    root.mkdir()
    _bootstrap(suite, packages, mirror, root, folder / _LOG)
    said = ask([*enter(root), str(RSCRIPT)])
    if isinstance(said, str):
        raise MachineFault(
            f"the R of Debian {suite.name} was brought, but does not run here under bubblewrap: "
            f"{said}"
        )
    (folder / _SAID).write_bytes(msgspec.json.encode(said))
    notify(
        f"{what} {said.version} from Debian {suite.name} is there "
        f"({time.monotonic() - started:.0f} s)"
    )


def _bootstrap(suite: Suite, packages: Sequence[str], mirror: str, root: Path, log: Path) -> None:
    """Make the root folder.

    As a tar archive first, for root and for an ordinary user alike: the archive has owners
    and devices that only root may make, and unpacking it leaves those out.
    """
    with log.open("wb") as errors:
        maker = start(
            _mmdebstrap(suite, packages, mirror),
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=errors.fileno(),
        )
        try:
            assert maker.stdout is not None
            unpacker = start(
                [
                    "tar",
                    "--extract",
                    "--directory",
                    root,
                    "--no-same-owner",
                    "--no-same-permissions",
                    "--exclude=./dev/*",
                    # Read on after the archive's end: mmdebstrap pads it, and would fail on
                    # a pipe that nobody reads.
                    "--ignore-zeros",
                ],
                stdin=maker.stdout.fileno(),
                stderr=subprocess.PIPE,
            )
            try:
                maker.stdout.close()
                _text, complaint = unpacker.communicate(timeout=_LIMIT_S)
                maker.wait(_LIMIT_S)
                timed_out = False
            except subprocess.TimeoutExpired:
                complaint, timed_out = b"", True
            finally:
                end(unpacker)
        finally:
            end(maker)
    made = Ran(
        code=maker.returncode,
        stdout="",
        stderr=log.read_text(errors="replace"),
        timed_out=timed_out,
    )
    unpacked = Ran(code=unpacker.returncode, stdout="", stderr=complaint.decode("utf-8", "replace"))
    # Either makes the other fail, so that the first cause is to be found: a tar that ends
    # breaks mmdebstrap's pipe, and a mmdebstrap that ends leaves tar without an archive.
    tar_was_first = made.ok or "Broken pipe" in made.stderr
    for ran in (unpacked, made) if tar_was_first else (made, unpacked):
        raise_if_full(ran)
        if not ran.ok:
            raise _fault(suite, ran)


def _mmdebstrap(suite: Suite, packages: Sequence[str], mirror: str) -> list[str]:
    # Not left to mmdebstrap, which for an ordinary user may choose a mode that fails halfway.
    mode = "root" if os.geteuid() == 0 else "unshare"
    command = [
        "mmdebstrap",
        f"--mode={mode}",
        "--variant=minbase",
        "--format=tar",
        f"--include={','.join(packages)}",
    ]
    command += [f"--dpkgopt=path-exclude=/{_LIBRARIES}/{folder}/*" for folder in _LEFT_OUT]
    command += [f"--dpkgopt=path-include=/{_LIBRARIES}/doc/*/copyright"]
    command += [f"--aptopt={option}" for option in _proxies()]
    if suite.rolling:
        # Its Release file can be past its date; the signature on it is verified all the same.
        command.append('--aptopt=Acquire::Check-Valid-Until "false"')
    command += [suite.name, "-", f"deb [signed-by={KEYRING}] {mirror} {suite.name} main"]
    return command


def _environment() -> dict[str, str]:
    kept = ("HOME", "TMPDIR", "LANG", "http_proxy", "https_proxy", "no_proxy")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    path = os.environ.get("PATH", "")
    return {**env, "PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def _proxies() -> list[str]:
    """Proxies that apt is configured with here: mmdebstrap starts from a blank configuration."""
    if shutil.which("apt-config") is None:
        return []
    ran = run(["apt-config", "dump", "Acquire"], limit_s=20.0)
    lines = (line.strip().rstrip(";") for line in ran.stdout.splitlines())
    return [line for line in lines if re.match(r"Acquire::https?::Proxy ", line)]


def _fault(suite: Suite, ran: Ran) -> MachineFault | Unavailable:
    what = f"R from Debian {suite.name}"
    if ran.timed_out:
        return Unavailable(f"{what}: not there after {_LIMIT_S / 60:.0f} minutes; try again")
    if _UNSIGNED.search(ran.stderr):
        return MachineFault(
            f"{what}: this machine's keys of Debian's archive do not know the suite's signature; "
            "run `apt-get update && apt-get install --only-upgrade debian-archive-keyring`"
        )
    if found := _MISSING.search(ran.stderr):
        return Unavailable(f"Debian {suite.name} has no package {found.group(1) or ''}".rstrip())
    if _UNREACHED.search(ran.stderr):
        return Unavailable(
            f"{what}: the Debian mirror of this machine's apt sources could not be reached; check "
            "the network, or set HARNESS_DEBIAN_MIRROR to another one"
        )
    if os.geteuid() != 0 and _UNPRIVILEGED.search(ran.stderr):
        return MachineFault(
            f"{what}: mmdebstrap cannot make user namespaces here; run `sudo apt-get install "
            "uidmap && sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "
            "$USER`, or run as root"
        )
    # Without the lines that only say that there was a line before.
    said = [
        line
        for line in ran.stderr.splitlines()
        if re.match(r"(E|W|tar): ", line) and "mmdebstrap failed to run" not in line
    ]
    text = redact("; ".join(said[-2:]) or ran.tail())
    return MachineFault(f"{what}: {text[:_QUOTED]}{'...' if len(text) > _QUOTED else ''}")


PROVIDER: RProvider = Debian()
