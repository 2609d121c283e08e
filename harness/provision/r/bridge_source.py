"""The source tree of an R bridge: its own tests are in no package that is installed.

Debian keeps the source of every package beside it, signed like the rest of its archive, so
that the tests are those of the very version that a suite's R comes with.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import Unavailable
from harness.provision.process import run
from harness.provision.r.apt_sources import debian_mirror
from harness.provision.r.source import Source
from harness.provision.r.suites import suites
from harness.provision.r.system_packages import KEYRING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.model.environment import RToolchain, SourceTree, Store

VARIABLE: Final = "HARNESS_BRIDGE_SOURCE"
HOW: Final = f"set {VARIABLE} to {{name}}=FOLDER, the unpacked source of that version"
_KIND: Final = "bridge-source"
_TREE: Final = "tree"
_LIMIT_S: Final = 300.0


def bridge_source(
    toolchain: RToolchain,
    name: str,
    *,
    store: Store,
    notify: Callable[[str], None],
    environ: Mapping[str, str] | None = None,
) -> Path:
    """Return the folder of the unpacked source of R package ``name``.

    It is what the package was built from, where it was built for this R; else the folder that
    ``HARNESS_BRIDGE_SOURCE`` gives the package (``reticulate=FOLDER``, several as in ``PATH``),
    else Debian's source of what the toolchain's suite has.

    Raises
    ------
    Unavailable
        If there is none within reach, or it is of another version than what is installed.
    """
    if name in toolchain.built:
        return unpacked(toolchain.built[name], store=store)
    named = _named((os.environ if environ is None else environ).get(VARIABLE, ""))
    if name in named:
        folder = named[name]
        if not (folder / "DESCRIPTION").is_file():
            raise Unavailable(
                f"{VARIABLE} gives {folder} for {name}, but that is not the source of an R package"
            )
        return folder
    suite = toolchain.source.removeprefix("debian:")
    if suite == toolchain.source or shutil.which("apt-get") is None:
        raise Unavailable(
            f"the source of {name}, which has its tests, comes with neither this R "
            f"({toolchain.source}) nor this machine: {HOW.format(name=name)}"
        )
    installed = toolchain.packages.get(name, "none")
    key = hashlib.sha256(f"1\0{suite}\0{name}\0{installed}".encode()).hexdigest()
    folder = store.ensure(
        _KIND,
        key,
        partial(_fetch, suite, name, installed, notify),
        description=f"source of {name} {installed} of Debian {suite}",
    )
    return folder / _TREE


def unpacked(tree: SourceTree, *, store: Store) -> Path:
    """Return the folder of a source, which is unpacked once where it is an archive.

    Raises ``Unavailable`` where the archive is damaged.
    """
    if tree.place.is_dir():
        return tree.place
    source = Source(name=tree.name, version=tree.version, place=tree.place, digest=tree.digest)
    key = hashlib.sha256(f"archive\0{tree.name}\0{tree.digest}".encode()).hexdigest()
    folder = store.ensure(
        _KIND,
        key,
        partial(_unpack, source),
        description=f"source of {tree.name} {tree.version}",
    )
    return folder / _TREE


def _unpack(source: Source, folder: Path) -> None:
    source.unpack(folder).rename(folder / _TREE)


def version_of_source(folder: Path) -> str:
    """Return the version that a package's ``DESCRIPTION`` states; empty for none."""
    text = (folder / "DESCRIPTION").read_text(encoding="utf-8", errors="replace")
    lines = (line for line in text.splitlines() if line.startswith("Version:"))
    return next(lines, "").partition(":")[2].strip()


def _named(setting: str) -> dict[str, Path]:
    pairs = (part.partition("=") for part in setting.split(os.pathsep) if "=" in part)
    return {name.strip(): Path(folder).expanduser().absolute() for name, _is, folder in pairs}


def _fetch(
    suite: str, name: str, installed: str, notify: Callable[[str], None], folder: Path
) -> None:
    notify(f"bringing the source of {name} {installed} from Debian {suite}")
    apt = folder / "apt"
    for place in ("state/lists/partial", "cache/archives/partial"):
        (apt / place).mkdir(parents=True)
    listed = apt / "sources.list"
    listed.write_text(f"deb-src [signed-by={KEYRING}] {debian_mirror()} {suite} main\n")
    # A configuration of its own beside the machine's proxies: its lists stay as they are, and
    # nobody needs to be root.
    options = {
        "Dir::Etc::SourceList": listed,
        "Dir::Etc::SourceParts": os.devnull,
        "Dir::State": apt / "state",
        "Dir::State::status": os.devnull,
        "Dir::Cache": apt / "cache",
        "Acquire::Languages": "none",
    }
    if os.geteuid() == 0:
        # apt's own user cannot write here.
        options["APT::Sandbox::User"] = "root"
    if any(one.rolling for one in suites() if one.name == suite):
        # Its Release file can be past its date; the signature on it is verified all the same.
        options["Acquire::Check-Valid-Until"] = "false"
    arguments = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    package = f"r-cran-{name.lower()}"
    # The archive of the makers alone: Debian's own changes are about how it is packaged.
    for verb in (("update",), ("source", "--download-only", "--tar-only", package)):
        ran = run(["apt-get", "--quiet", *arguments, *verb], cwd=folder, limit_s=_LIMIT_S)
        if not ran.ok:
            what = f"the source of {name} from Debian {suite}"
            raise Unavailable(f"{what} cannot be had: {ran.tail()}; {HOW.format(name=name)}")
    shutil.rmtree(apt)
    archives = sorted(folder.glob("*.orig.tar.*"))
    if not archives:
        raise Unavailable(f"Debian {suite} has {package}, but without its makers' archive")
    unpacked = folder / "unpacked"
    with tarfile.open(archives[0]) as archive:
        archive.extractall(unpacked, filter="data")
    (tree,) = unpacked.iterdir()
    tree.rename(folder / _TREE)
    unpacked.rmdir()
    version = version_of_source(folder / _TREE)
    # Debian's R says 1.41.0.1 where its own package says 1.41.0.1+dfsg-1.
    if version != installed:
        raise Unavailable(
            f"Debian {suite} now has the source of {name} {version}, but {installed} is installed; "
            "run `harness cache --prune` to bring both anew"
        )
