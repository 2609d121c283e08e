"""A source tree as it is now: copied once, so that nobody changes it under a run.

    PATH             a folder, as it is, with what is not committed
    PATH             a tar archive
    PATH@REF         a local git repository (or a folder in one) at a branch, tag or commit
    git+URL@REF      a git repository elsewhere; without ``@REF``, at its default branch

Git is asked by its own program, which knows the user's proxies and keys; it is never let ask for
a password.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import MachineFault, UsageError
from harness.provision.pipconfig import redact
from harness.provision.process import Ran, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.model.environment import Store

GIT: Final = "git+"
"""What an address of a git repository begins with."""
_KIND: Final = "bridge-tree"
_TREE: Final = "tree"
_LIMIT_S: Final = 600.0
_ARCHIVES: Final = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_PIECE: Final = 2**20
_COMPILED: Final = frozenset({".o", ".so", ".pyc", ".egg-info"})
"""What a folder keeps that was built once: objects of another R or Python would be linked."""
_NOT_SOURCE: Final = frozenset(
    {
        *(".git", ".hg", ".svn", ".Rproj.user", "__pycache__", ".venv", ".tox", ".nox"),
        # What the harness itself keeps where it is run, and where a workflow puts it.
        *(".harness", ".harness-itself"),
    }
)
_JOURNAL: Final = "journal.jsonl"
_EVENT: Final = b'{"event":"'
"""What a journal of the harness begins with: a folder that has one is no source, and grows."""
_COMMIT: Final = re.compile(r"[0-9a-f]{4,40}")
_HOST: Final = re.compile(r"[a-z][a-z0-9+.\-]*://[^/]*|[^/@:]+@[^/:]+:", re.IGNORECASE)
"""What comes before the path in an address, as a URL has it or ssh (``git@host:``)."""
_NO_SUCH: Final = re.compile(
    r"couldn't find remote ref|not our ref|unadvertised object|unknown revision|bad revision"
    r"|needed a single revision|ambiguous argument",
    re.IGNORECASE,
)


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of a tree: its folder, the digest of what is in it, and where it is from."""

    folder: Path
    digest: str
    origin: str
    commit: str | None = None


def check(place: str) -> None:
    """Raise ``UsageError`` where a place on this machine is not there, without reading it."""
    if not place:
        raise UsageError("no place is named: give a folder, a .tar.gz or git+URL@REF")
    if place.startswith(GIT):
        return
    folder, ref = _split(place)
    if ref is not None or folder.is_dir() or (folder.is_file() and _is_archive(folder)):
        return
    if folder.exists():
        raise UsageError(f"{folder} is neither a folder nor a tar archive (.tar.gz)")
    raise UsageError(
        f"there is no {folder}: give a folder, a .tar.gz, PATH@REF of a git repository, "
        "git+URL@REF, or a version"
    )


def bring(place: str, *, store: Store, notify: Callable[[str], None]) -> Brought:
    """Copy the tree at ``place`` into the store.

    Raises
    ------
    UsageError
        If there is none: one sentence that says what can be named.
    MachineFault
        If git is missing, or an address is out of reach.
    """
    check(place)
    with tempfile.TemporaryDirectory(prefix="harness-tree-") as name:
        copy = Path(name) / _TREE
        origin, commit = _copy(place, copy, notify)
        digest = digest_of(copy)
        # What is kept is the copy: the tree itself may be edited meanwhile.
        folder = store.ensure(
            _KIND, digest, partial(_move, copy), description=f"source tree {redact(place)}"
        )
    return Brought(folder=folder / _TREE, digest=digest, origin=origin, commit=commit)


def ignored(folder: str, names: Iterable[str]) -> set[str]:
    """Return those of ``names`` that are no source: for ``shutil.copytree``."""
    return {
        name
        for name in names
        if name in _NOT_SOURCE or Path(name).suffix in _COMPILED or _has_results(Path(folder, name))
    }


def _has_results(folder: Path) -> bool:
    try:
        with (folder / _JOURNAL).open("rb") as stream:
            return stream.read(len(_EVENT)) == _EVENT
    except OSError:
        return False


def digest_of(place: Path) -> str:
    """Digest of an archive, or of the names, modes and contents of what a folder would give."""
    digest = hashlib.sha256()
    if place.is_file():
        digest.update(place.read_bytes())
        return digest.hexdigest()
    for folder, folders, files in os.walk(place):
        folders[:] = sorted(set(folders) - ignored(folder, folders))
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in sorted({*files, *links} - ignored(folder, files)):
            path = Path(folder, name)
            digest.update(f"{path.relative_to(place)}\0{os.access(path, os.X_OK)}\0".encode())
            if path.is_symlink():
                digest.update(os.fsencode(path.readlink()))
            digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive into ``folder``, without what leads out of it.

    Raises ``OSError`` or ``tarfile.TarError`` where it is damaged.
    """
    try:
        with tarfile.open(archive) as opened:
            # To the end, where the checksum is: of an archive that is cut between two files, or
            # has other bytes, tarfile says nothing.
            while opened.fileobj.read(_PIECE):
                pass
            opened.extractall(folder, filter="data")
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise tarfile.ReadError(str(error) or "it ends too soon") from error
    except tarfile.ReadError as error:
        if "\n" not in str(error):
            raise
        # A line for each kind of archive that it is not.
        raise tarfile.ReadError("it is no tar archive, or its beginning is damaged") from error


def _move(copy: Path, folder: Path) -> None:
    shutil.move(copy, folder / _TREE)


def _copy(place: str, copy: Path, notify: Callable[[str], None]) -> tuple[str, str | None]:
    """Fill ``copy``; return the origin and the commit."""
    if place.startswith(GIT):
        return "git", _fetch(place.removeprefix(GIT), copy, notify)
    path, ref = _split(place)
    if ref is not None:
        return "git", _checkout(path, ref, copy)
    if path.is_file():
        _unpacked(path, copy)
        return "archive", None
    try:
        shutil.copytree(path, copy, symlinks=True, ignore=ignored)
    except (OSError, shutil.Error) as error:
        raise UsageError(f"{path} cannot be copied: {_first_of(error)}") from error
    return "folder", _commit_of(path)


def _split(place: str) -> tuple[Path, str | None]:
    """Part a local place and its git reference; a path may have an ``@`` of its own."""
    whole = Path(place).expanduser().absolute()
    head, sign, ref = place.rpartition("@")
    folder = Path(head).expanduser().absolute()
    if whole.exists() or not (sign and head and ref and folder.is_dir()):
        return whole, None
    return folder, ref


def _is_archive(path: Path) -> bool:
    return path.name.endswith(_ARCHIVES)


def _unpacked(archive: Path, copy: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="harness-tree-") as name:
        try:
            unpack(archive, Path(name))
        except (OSError, tarfile.TarError) as error:
            raise UsageError(f"{archive} cannot be unpacked: {error}") from error
        entries = list(Path(name).iterdir())
        # An archive has all in one folder, or it is the tree itself.
        top = entries[0] if len(entries) == 1 and entries[0].is_dir() else Path(name)
        shutil.copytree(top, copy, symlinks=True, ignore=ignored)


def _first_of(error: OSError | shutil.Error) -> str:
    failed = error.args[0] if error.args else error
    if isinstance(failed, list) and failed:
        return f"{failed[0][0]}: {failed[0][-1]}"
    return str(error)


# --- git ---------------------------------------------------------------------------------------


def _git(*arguments: str | Path) -> Ran:
    # A hook's own variables would lead git to another repository.
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"}
    }
    env = {
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        **kept,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS": "true",
        "GCM_INTERACTIVE": "never",
        "LC_ALL": "C.UTF-8",
    }
    plain = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.autocrlf=false")
    try:
        return run(["git", *plain, *arguments], env=env, limit_s=_LIMIT_S)
    except FileNotFoundError as error:
        raise MachineFault(
            "this machine has no git, which a source tree is to be taken from: run `sudo apt-get "
            "install git`, or give a folder or an archive"
        ) from error


def _fetch(address: str, copy: Path, notify: Callable[[str], None]) -> str:
    """Bring a repository at a reference; return its commit."""
    url, ref = _parted(address)
    shown = redact(url)
    _check_ref(ref)
    notify(f"fetching {ref} of {shown}")
    with tempfile.TemporaryDirectory(prefix="harness-git-") as name:
        clone = Path(name)
        _git("init", "--quiet", clone)
        fetch = ("-C", clone, "fetch", "--quiet", "--no-tags")
        ran = _git(*fetch, "--depth", "1", "--end-of-options", url, ref)
        found = "FETCH_HEAD"
        if not ran.ok and _NO_SUCH.search(ran.stderr) and _COMMIT.fullmatch(ref):
            # A part of a commit's name is known to nobody but to who has all of them.
            ran = _git(*fetch, "--end-of-options", url, "+refs/*:refs/fetched/*")
            found = ref
        if not ran.ok:
            raise _unfetched(shown, ref, ran)
        return _check_out(clone, found, shown, copy)


def _checkout(folder: Path, ref: str, copy: Path) -> str:
    """Copy a folder of a local repository at a reference; return the commit."""
    _check_ref(ref)
    prefix = _git("-C", folder, "rev-parse", "--show-prefix")
    if not prefix.ok:
        raise UsageError(f"{folder} is no git repository, so it has no '{ref}': {prefix.tail(1)}")
    verify = ("-C", folder, "rev-parse", "--verify", "--end-of-options")
    found = _git(*verify, f"{ref}^{{commit}}")
    if not found.ok:
        # A CI service checks out one branch, and the others are there as its origin's alone; HEAD
        # is of the checkout, and no other one is meant.
        other = _git(*verify, f"refs/remotes/origin/{ref}^{{commit}}")
        if not other.ok or ref.startswith("HEAD"):
            raise UsageError(f"the git repository {folder} has no '{ref}': {_plain(found)}")
        found = other
    commit = found.stdout.strip()
    with tempfile.TemporaryDirectory(prefix="harness-git-") as name:
        clone = Path(name) / "clone"
        cloned = _git("clone", "--quiet", "--shared", "--no-checkout", "--", _top_of(folder),
                      clone)  # fmt: skip
        if not cloned.ok:
            raise UsageError(f"git cannot read {folder}: {_plain(cloned)}")
        return _check_out(clone, commit, str(folder), copy, prefix.stdout.strip())


def _top_of(folder: Path) -> Path:
    """Return the top of the repository that ``folder`` is in; a bare one is its own."""
    top = _git("-C", folder, "rev-parse", "--show-toplevel")
    return Path(top.stdout.strip()) if top.ok and top.stdout.strip() else folder


def _check_out(clone: Path, ref: str, shown: str, copy: Path, part: str = "") -> str:
    for arguments in (("checkout", "--quiet", "--detach", ref), ("rev-parse", "HEAD")):
        ran = _git("-C", clone, *arguments)
        if not ran.ok:
            raise UsageError(f"{shown} has no '{ref}': {_plain(ran)}")
    tree = clone / part
    if not tree.is_dir():
        raise UsageError(f"{shown} has no folder {part} at '{ref}'")
    shutil.copytree(tree, copy, symlinks=True, ignore=ignored)
    return ran.stdout.strip()


def _commit_of(folder: Path) -> str | None:
    """Return the commit of a folder as it is; ``None`` where git knows nothing of it."""
    try:
        head = _git("-C", folder, "rev-parse", "HEAD")
    except MachineFault:
        return None
    if not head.ok:
        return None
    changed = _git("-C", folder, "status", "--porcelain", "--", ".")
    if changed.ok and not changed.stdout.strip():
        return head.stdout.strip()
    return f"{head.stdout.strip()}+changes"


def _parted(address: str) -> tuple[str, str]:
    """Part ``URL@REF``; the ``@`` of a user before a host is no reference's."""
    found = _HOST.match(address)
    host, path = (found.group(), address[found.end() :]) if found else ("", address)
    head, sign, ref = path.rpartition("@")
    return (host + head, ref) if sign else (address, "HEAD")


def _check_ref(ref: str) -> None:
    if not ref or ref.startswith("-") or any(sign.isspace() for sign in ref):
        raise UsageError(f"'{ref}' is no reference of git: give a branch, a tag or a commit")


def _unfetched(shown: str, ref: str, ran: Ran) -> UsageError | MachineFault:
    if ran.timed_out:
        return MachineFault(f"{shown} did not give '{ref}' within {_LIMIT_S / 60:.0f} minutes")
    if _NO_SUCH.search(ran.stderr):
        return UsageError(f"{shown} has no '{ref}': give a branch, a tag or a whole commit")
    return MachineFault(f"git cannot reach {shown}: {_plain(ran)}")


def _plain(ran: Ran) -> str:
    """Return git's own words in one clause, without passwords."""
    lines = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith(("fatal:", "error:"))), "")
    return redact((said or ran.tail(1)).removeprefix("fatal: ").removeprefix("error: "))
