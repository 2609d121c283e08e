"""A root folder of a Debian suite: made by mmdebstrap, entered with bubblewrap.

The archive's signatures are always verified.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import MachineFault, NotShipped, Unavailable
from harness.kernel import without_namespaces
from harness.model.environment import LentLibraries
from harness.provision.linkage import RootLibraries
from harness.provision.pipconfig import redact
from harness.provision.process import Ran, end, raise_if_full, run, start
from harness.provision.r.apt_sources import debian_mirror
from harness.provision.r.suites import Suite, suite_named
from harness.provision.r.system_packages import (
    ARCHIVE_KEYS,
    BWRAP,
    KEYRING,
    MMDEBSTRAP,
    TAR,
    require,
)
from harness.provision.r.upgrade import packages_to_lend, pins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Notify = Callable[[str], None]

_LAYOUT: Final = "1"
"""Part of the key: changes with what the folder holds."""
_LIMIT_S: Final = 1800.0
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
_CONFLICT: Final = re.compile(r"you have held broken packages")
_SAID_OF_CONFLICT: Final = re.compile(r"\S+ : (?:Depends|PreDepends|Breaks|Conflicts): .*")
_UNPRIVILEGED: Final = re.compile(r"newuidmap|newgidmap|subuid|subgid|unshare|user namespace")

AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"
"""Where a program in a root with a network finds whom the machine trusts."""
_NETWORK: Final = ("resolv.conf", "hosts", "nsswitch.conf")
"""Files of the machine's ``/etc`` by which a name is looked up."""
_MERGED: Final = Path("/usr/share/mmdebstrap/hooks/merged-usr")
_MERGING: Final = "base-files"
"""Of trixie and later it has ``/lib`` as a link, which packages of older suites would be before."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What a root folder is made of: packages of a suite, some of them lent by a newer one."""

    suite: Suite
    packages: tuple[str, ...]
    lent: LentLibraries | None = None

    @property
    def included(self) -> tuple[str, ...]:
        """All packages that are asked for by name."""
        lent = () if self.lent is None else self.lent.packages
        return tuple(sorted({*self.packages, *lent}))

    @property
    def key(self) -> str:
        """Digest for the store."""
        parts = [_LAYOUT, self.suite.name, platform.machine(), *self.packages]
        if self.lent is not None:
            parts += ["lent", "2", self.lent.suite, *self.lent.packages]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def make_root(
    recipe: Recipe, root: Path, log: Path, what: str, notify: Notify
) -> LentLibraries | None:
    """Make the folder ``root``; ``what`` names it in messages, ``log`` gets mmdebstrap's output.

    Return what was lent in the end: what was asked for, and all that had to come with it.

    Raises
    ------
    Unavailable
        If a package, or the archive, cannot be had.
    MachineFault
        If this machine lacks a program, or mmdebstrap cannot work here.
    """
    require(MMDEBSTRAP, BWRAP, TAR, ARCHIVE_KEYS, notify=notify)
    mirror = debian_mirror()
    lent = recipe.lent
    preferences = None
    if lent is not None:
        lists = root.parent / "apt"
        lists.mkdir()
        names = packages_to_lend(
            recipe.suite.name, recipe.packages, lent.suite, lent.packages, (mirror, lists)
        )
        shutil.rmtree(lists)
        preferences = pins(names, lent.suite)
        lent = msgspec.structs.replace(lent, packages=names)
    root.mkdir()
    command = _mmdebstrap(recipe, mirror, preferences)
    if lent is not None and _MERGING in lent.packages:
        command.insert(1, f"--hook-dir={_MERGED}")
    _bootstrap(command, recipe.suite, root, log, what)
    release = RootLibraries(root).libc
    if lent is None or release is None:
        return lent
    return msgspec.structs.replace(lent, libc=release)


def enter(
    root: Path,
    binds: Sequence[Path] = (),
    *,
    writable: Sequence[Path] = (),
    env: Mapping[str, str] | None = None,
    network: bool = False,
) -> tuple[str, ...]:
    """Command that runs a program in ``root``, which is read-only, by default without a network.

    Parameters
    ----------
    binds
        Folders of the machine that the program sees at their own path, read-only.
    writable
        The same, but it may write there.
    env
        Variables beside ``PATH``, ``LC_ALL`` and ``HOME``, which it may set anew.
    network
        Let it use the machine's network, with the machine's ways of looking up a name.  It then
        has the environment that bubblewrap itself is started with, and ``env`` is not looked at.
    """
    # `/` itself is a folder in memory, and what is in the root is bound into it one by one:
    # in a root that is bound whole and read-only, bubblewrap could not make the folders on
    # which others are to be bound.
    arguments = ["bwrap"]
    for entry in sorted(root.iterdir()):
        target = f"/{entry.name}"
        if entry.is_symlink():
            arguments += ["--symlink", str(entry.readlink()), target]
        elif entry.name == "etc" and network:
            arguments += _etc(entry)
        elif entry.name in _SYSTEM_FOLDERS:
            arguments += ["--ro-bind", str(entry), target]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108
    for bind in binds:
        arguments += ["--ro-bind", str(bind), str(bind)]
    for bind in writable:
        arguments += ["--bind", str(bind), str(bind)]
    alone = ("--die-with-parent", "--new-session", "--chdir", "/")
    if network:
        return (*arguments, "--unshare-all", "--share-net", *alone)
    variables = [part for pair in (env or {}).items() for part in ("--setenv", *pair)]
    return (
        *arguments,
        *("--unshare-all", *alone, "--clearenv"),
        *("--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LC_ALL", "C.UTF-8"),
        *("--setenv", "HOME", "/tmp"),  # noqa: S108 - the cell's own
        *variables,
    )


def _etc(folder: Path) -> Iterator[str]:
    """Show the root's own ``/etc``, but with the machine's files for a network."""
    own = {name: Path("/etc", name) for name in _NETWORK if Path("/etc", name).exists()}
    yield from ("--dir", "/etc")
    for entry in sorted(folder.iterdir()):
        if entry.name in own or entry.name == "ssl":
            continue
        if entry.is_symlink():
            yield from ("--symlink", str(entry.readlink()), f"/etc/{entry.name}")
        else:
            yield from ("--ro-bind", str(entry), f"/etc/{entry.name}")
    for name, path in own.items():
        yield from ("--ro-bind", str(path.resolve()), f"/etc/{name}")
    trusted = authorities(os.environ)
    if trusted is not None:
        yield from ("--ro-bind", str(trusted), AUTHORITIES)


def authorities(environ: Mapping[str, str]) -> Path | None:
    """Return the file with the certificates of whom this machine trusts, as far as it has one."""
    named = environ.get("SSL_CERT_FILE")
    places = (*((named,) if named else ()), AUTHORITIES, "/etc/pki/tls/certs/ca-bundle.crt")
    found = (Path(place).resolve() for place in places)
    return next((path for path in found if path.is_file()), None)


def _bootstrap(command: list[str], suite: Suite, root: Path, log: Path, what: str) -> None:
    """Make the root folder.

    As a tar archive first, for root and for an ordinary user alike: the archive has owners
    and devices that only root may make, and unpacking it leaves those out.
    """
    with log.open("wb") as errors:
        maker = start(
            command,
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
            raise _fault(suite, ran, what)


def _mmdebstrap(recipe: Recipe, mirror: str, preferences: str | None) -> list[str]:
    # Not left to mmdebstrap, which for an ordinary user may choose a mode that fails halfway.
    mode = "root" if os.geteuid() == 0 else "unshare"
    command = [
        "mmdebstrap",
        f"--mode={mode}",
        "--variant=minbase",
        "--format=tar",
        f"--include={','.join(recipe.included)}",
    ]
    command += [f"--dpkgopt=path-exclude=/{_LIBRARIES}/{folder}/*" for folder in _LEFT_OUT]
    command += [f"--dpkgopt=path-include=/{_LIBRARIES}/doc/*/copyright"]
    command += [f"--aptopt={option}" for option in _proxies()]
    if preferences is not None:
        # Before anything is chosen: what is essential depends on it too.
        place = '"$1"/etc/apt/preferences.d/harness'
        command.append(f"--setup-hook=printf %s {shlex.quote(preferences)} > {place}")
    asked = [recipe.suite.name, *(() if recipe.lent is None else (recipe.lent.suite,))]
    if any(suite_named(name).rolling for name in asked):
        # Its Release file can be past its date; the signature on it is verified all the same.
        command.append('--aptopt=Acquire::Check-Valid-Until "false"')
    sources = (f"deb [signed-by={KEYRING}] {mirror} {name} main" for name in asked)
    return [*command, recipe.suite.name, "-", *sources]


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


def not_shipped(suite: Suite, names: tuple[str, ...]) -> NotShipped:
    """Say that a suite has no packages of these names."""
    return NotShipped(
        f"Debian {suite.name} has no package {', '.join(names)}".rstrip(), packages=names
    )


def _fault(suite: Suite, ran: Ran, what: str) -> MachineFault | Unavailable:
    what = f"{what} from Debian {suite.name}"
    if ran.timed_out:
        return Unavailable(f"{what}: not there after {_LIMIT_S / 60:.0f} minutes; try again")
    if _UNSIGNED.search(ran.stderr):
        return MachineFault(
            f"{what}: this machine's keys of Debian's archive do not know the suite's signature; "
            "run `apt-get update && apt-get install --only-upgrade debian-archive-keyring`"
        )
    if _CONFLICT.search(ran.stderr):
        # Of the packages, not of this machine: other cells are none the worse for it.
        clashes = "; ".join(_SAID_OF_CONFLICT.findall(ran.stderr)[:3])
        return Unavailable(f"{what}: its packages cannot be installed together: {clashes}")
    if found := _MISSING.findall(ran.stderr):
        names = tuple(dict.fromkeys(name for name in found if name))
        return not_shipped(suite, names)
    if _UNREACHED.search(ran.stderr):
        return Unavailable(
            f"{what}: the Debian mirror of this machine's apt sources could not be reached; check "
            "the network, or set HARNESS_DEBIAN_MIRROR to another one"
        )
    if os.geteuid() != 0 and _UNPRIVILEGED.search(ran.stderr):
        if hint := without_namespaces():
            return MachineFault(f"{what}: mmdebstrap cannot make user namespaces here: {hint}")
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
