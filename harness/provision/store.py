"""The folder in which everything that is expensive to build is kept.

    <root>/<kind>/<key>/            an entry; whole when it holds ``.complete``
    <root>/<kind>/<key>/.files      its files with their sizes, for the kinds that nothing changes
    <root>/locks/<kind>/<key>       who holds the kernel's lock on it builds or removes
    <root>/sessions/<name>          which entries a live process uses
    <root>/CACHEDIR.TAG             in a root that the store made: backups pass it over

Entries are built at their final path, because virtual environments cannot be moved; an entry
without its marker is half built and is thrown away.  Locks and sessions are ``flock`` locks:
the kernel frees them when their holder dies, however it dies.

The root may be a folder that has other things in it, because somebody named it so: what is
removed has the store's marker, or lies where only the store puts a thing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec
import platformdirs

from harness.errors import MachineFault
from harness.folders import lock, real, remove_tree
from harness.provision.listing import first_damaged, list_files
from harness.provision.process import holding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType

    from harness.model.environment import Build

MARKER: Final = ".complete"
SCHEMA: Final = 1
GUARDED: Final = frozenset(
    {"overlay", "python", "python-debian", "r-builder", "r-debian", "r-library"}
)
"""Kinds that are large trees of files and never change: a file may get lost in the meantime."""
KINDS: Final = GUARDED | frozenset(
    {
        "bridge-source",
        "bridge-tree",
        "bundle",
        "interpreter",
        "linkage",
        "lock",
        "r-absent",
        "r-source",
        "registry",
        "wheels",
    }
)
"""All that the harness keeps: a folder elsewhere, without a marker, is not taken for half built."""
TAG: Final = "CACHEDIR.TAG"
"""See https://bford.info/cachedir/."""
_TAG_TEXT: Final = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# What r-python-harness has built, which `harness cache --prune` removes.\n"
)
_LOCKS: Final = "locks"
_SESSIONS: Final = "sessions"
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_SESSION: Final = re.compile(r"[0-9]+-[0-9a-f]{32}")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the store keeps.

    ``size`` is in bytes on disk, counted once when it was built (files that are hard links
    into uv's cache count in full); ``created`` and ``used`` are seconds since the epoch.
    """

    kind: str
    key: str
    path: Path
    description: str
    size: int
    created: float
    used: float


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What :meth:`FolderStore.prune` removed, and what it left because a process uses it.

    ``half_built`` are folders that it removed because they had no marker.
    """

    removed: tuple[Entry, ...]
    in_use: tuple[Entry, ...]
    half_built: tuple[Path, ...] = ()


class _Marker(msgspec.Struct, frozen=True, kw_only=True):
    schema: int
    created: float
    size: int
    description: str = ""


class FolderStore:
    """A content-addressed store in a folder; safe for several threads and processes.

    What a store handed out is in use until the store is closed or its process ends, and is
    not pruned before that.

    Parameters
    ----------
    root
        The folder; it is made where it is missing.
    notify
        Takes one-line messages for the user.

    Raises
    ------
    MachineFault
        If the folder cannot be made or written to.
    """

    def __init__(self, root: Path, *, notify: Callable[[str], None] | None = None) -> None:
        self.root = real(root)
        self._notify = notify or (lambda _message: None)
        self._guard = threading.Lock()
        self._session: int | None = None
        self._session_path: Path | None = None
        self._used: set[str] = set()
        self._intact: set[str] = set()
        self._held: set[str] = set()
        with self._explained(self.root):
            try:
                _make_root(self.root)
            except OSError as error:
                if error.errno in _FULL:
                    raise
                # Whatever it is (a file in its place, a system's own folder), another will do.
                raise MachineFault(
                    f"{self.root}: cannot be made or used ({error.strerror}); set HARNESS_CACHE "
                    "to a folder of yours"
                ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything that was handed out: from now on it may be pruned."""
        with self._guard:
            if self._session is not None and self._session_path is not None:
                self._session_path.unlink(missing_ok=True)
                os.close(self._session)
            self._session = self._session_path = None
            self._used.clear()

    def ensure(
        self,
        kind: str,
        key: str,
        build: Build,
        *,
        description: str = "",
        verify: Callable[[Path], bool] | None = None,
    ) -> Path:
        """Return the folder of ``kind`` and ``key``, built by ``build`` where it is not whole.

        Of the kinds in ``GUARDED``, every file is looked at, once in the life of this object: an
        entry that lost one, or has one cut short, is built anew, unless another run uses it.

        Parameters
        ----------
        build
            Fills the folder, which exists and is empty.  It is called by one thread of one
            process at a time; what it raises goes to the caller, and the folder is removed.
        description
            One line for ``harness cache``.
        verify
            Says of a whole entry whether it is still good; where not, it is built again.

        Raises
        ------
        MachineFault
            If the disk is full or the folder cannot be written to; or if the entry is damaged and
            a live process uses it, under which it cannot be put right.
        """
        folder = self.root / kind / key
        with self._explained(folder), self._locked(kind, key) as fd:
            lost = self._lost(kind, key, verify)
            if lost is None:
                os.utime(folder / MARKER)
                self._note_use(kind, key)
                return folder
            self._refuse_used(kind, key, lost)
            _remove_entry(folder)
            folder.mkdir(parents=True)
            try:
                # A child of the build may outlive a killed harness and go on writing here:
                # it inherits the lock, so that nobody else starts before it has ended.
                with holding(fd):
                    build(folder)
                if kind in GUARDED:
                    list_files(folder)
                _write_marker(folder, description)
            except BaseException:
                _remove_entry(folder)
                raise
            # Still under the lock, under which whoever prunes looks at the uses; and no sooner: a
            # build that fails leaves nothing to use.
            self._note_use(kind, key)
        return folder

    def _lost(self, kind: str, key: str, verify: Callable[[Path], bool] | None) -> str | None:
        """Return what an entry lacks, in a few words; ``None`` where it is whole and good."""
        folder, name = self.root / kind / key, f"{kind}/{key}"
        if not _is_whole(folder):
            return f"{MARKER} is gone"
        if verify is not None and not verify(folder):
            return "it is no longer good"
        if kind not in GUARDED or name in self._intact:
            return None
        lost = first_damaged(folder)
        if lost is None:
            self._intact.add(name)
        return lost

    def _refuse_used(self, kind: str, key: str, lost: str) -> None:
        """Raise ``MachineFault`` where live processes use a damaged entry; else tell of it."""
        folder = self.root / kind / key
        if not folder.is_dir():
            return
        users = self._users(kind, key)
        if users:
            raise MachineFault(
                f"{folder} was damaged ({lost}), and another run uses it (process "
                f"{', '.join(users)}): begin again when that has ended, and it is made anew"
            )
        # What has no marker was half built, which is no news; a verifier tells of itself.
        if _is_whole(folder) and kind in GUARDED:
            self._notify(f"{kind}/{key[:12]} was damaged ({lost}): making it anew")

    def entries(self) -> tuple[Entry, ...]:
        """All whole entries, by kind and key.  Reads the markers alone, so it is quick."""
        found = (_entry(kind, folder) for kind, folder in _folders(self.root))
        return tuple(entry for entry in found if entry is not None)

    def prune(
        self,
        *,
        older_than_s: float | None = None,
        keep: int | None = None,
        everything: bool = False,
        kinds: Iterable[str] | None = None,
    ) -> Pruned:
        """Remove entries that no live process uses, and always what is half built.

        Half built is what has no marker, and a kind and a key for its name; whatever else lies
        in the root is not the store's, and stays.

        Parameters
        ----------
        older_than_s
            Remove what was last used longer ago than this, in seconds.
        keep
            Remove all but this many of each kind, the last used.
        everything
            Remove all.
        kinds
            Look at these kinds only.
        """
        wanted = None if kinds is None else frozenset(kinds)
        candidates = [entry for entry in self.entries() if wanted is None or entry.kind in wanted]
        doomed = candidates if everything else _doomed(candidates, older_than_s, keep)
        removed: list[Entry] = []
        in_use: list[Entry] = []
        for entry in doomed:
            (removed if self._remove(entry.kind, entry.key) else in_use).append(entry)
        half_built = tuple(
            folder
            for kind, folder in _folders(self.root)
            if _is_ours(kind, folder.name)
            and not _is_whole(folder)
            and self._remove(kind, folder.name)
        )
        return Pruned(removed=tuple(removed), in_use=tuple(in_use), half_built=half_built)

    # -- locks and sessions

    @contextmanager
    def _locked(self, kind: str, key: str) -> Iterator[int]:
        path = self.root / _LOCKS / kind / key
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                _lock(fd, self.root, fcntl.LOCK_NB)
            except BlockingIOError:
                self._wait(fd, kind, key)
            self._held.add(f"{kind}/{key}")
            try:
                yield fd
            finally:
                self._held.discard(f"{kind}/{key}")
        finally:
            os.close(fd)

    def _wait(self, fd: int, kind: str, key: str) -> None:
        # Polled, because a thread that sits in flock() cannot be interrupted by Ctrl-C.
        started, said = time.monotonic(), False
        while True:
            time.sleep(0.05)
            with suppress(BlockingIOError):
                _lock(fd, self.root, fcntl.LOCK_NB)
                return
            if f"{kind}/{key}" in self._held:
                # Another thread of this run is at it, and tells of it itself.
                continue
            if not said and time.monotonic() - started > _PATIENCE_S:
                self._notify(f"waiting for another run that builds {kind} {key[:12]}")
                said = True

    def _note_use(self, kind: str, key: str) -> None:
        name = f"{kind}/{key}"
        with self._guard:
            if name in self._used:
                return
            if self._session is None:
                self._open_session()
            assert self._session is not None
            os.write(self._session, f"{name}\n".encode())
            self._used.add(name)

    def _open_session(self) -> None:
        folder = self.root / _SESSIONS
        folder.mkdir(exist_ok=True)
        for path in _sessions(folder):
            _uses_of(path)  # which removes it where its process is dead
        name = f"{os.getpid()}-{uuid.uuid4().hex}"
        hidden = folder / f".{name}"
        fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        _lock(fd, self.root)
        # Renamed once it is locked: a session that is not locked is that of a dead process.
        hidden.rename(folder / name)
        self._session, self._session_path = fd, folder / name

    def _in_use(self, kind: str, key: str) -> bool:
        if f"{kind}/{key}" in self._used:
            return True
        return bool(self._users(kind, key))

    def _users(self, kind: str, key: str) -> list[str]:
        """Return the numbers of the processes that use an entry, this object's own left out."""
        return [
            path.name.partition("-")[0]
            for path in _sessions(self.root / _SESSIONS)
            if path != self._session_path and f"{kind}/{key}" in _uses_of(path)
        ]

    def _remove(self, kind: str, key: str) -> bool:
        path = self.root / _LOCKS / kind / key
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                _lock(fd, self.root, fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if self._in_use(kind, key):
                return False
            _remove_entry(self.root / kind / key)
        finally:
            os.close(fd)
        return True

    # -- the rest

    @contextmanager
    def _explained(self, folder: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                message = (
                    f"{folder}: the disk is full ({_free_mb(self.root)} MB free after clearing "
                    "up); make room, for example with `harness cache --prune`, or set "
                    "HARNESS_CACHE to a folder on another disk"
                )
                raise MachineFault(message) from error
            if error.errno in _DENIED and _is_below(error.filename, self.root):
                message = (
                    f"{error.filename}: cannot be written to ({error.strerror}); set "
                    "HARNESS_CACHE to a folder of yours"
                )
                raise MachineFault(message) from error
            raise


_PATIENCE_S: Final = 5.0


def default_root(environ: Mapping[str, str] | None = None) -> Path:
    """Return ``$HARNESS_CACHE``, or the user's cache folder as the platform has it."""
    named = (os.environ if environ is None else environ).get("HARNESS_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    return platformdirs.user_cache_path("r-python-harness", appauthor=False)


def _lock(number: int, root: Path, how: int = 0) -> None:
    """Take a lock for oneself alone, as all of a store's are."""
    lock(number, fcntl.LOCK_EX | how, root, "set HARNESS_CACHE to a folder on a local disk")


def _remove_entry(folder: Path) -> None:
    """Remove an entry, marker first: a removal cut short leaves nothing that looks whole."""
    if not folder.is_symlink():
        # Of a link, the marker behind it is none of ours.
        (folder / MARKER).unlink(missing_ok=True)
    remove_tree(folder)


def tree_size(folder: Path) -> int:
    """Bytes on disk below ``folder``; a file with several names in it counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    stack = [folder]
    while stack:
        with os.scandir(stack.pop()) as children:
            for child in children:
                status = child.stat(follow_symlinks=False)
                if child.is_dir(follow_symlinks=False):
                    stack.append(Path(child.path))
                elif status.st_nlink > 1:
                    if (status.st_dev, status.st_ino) in seen:
                        continue
                    seen.add((status.st_dev, status.st_ino))
                total += status.st_blocks * 512
    return total


def _make_root(root: Path) -> None:
    """Make a store's folder, with a tag where nothing else is in it."""
    root.mkdir(parents=True, exist_ok=True)
    with os.scandir(root) as children:
        if any(children):
            # Somebody's own folder may be named: it is not to be left out of their backups.
            return
    # Where it cannot be written, whoever wants to build something is told so.
    with suppress(OSError), (root / TAG).open("x", encoding="ascii") as tag:
        tag.write(_TAG_TEXT)


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield kind and folder of all that may be an entry; links lead to what is not the store's."""
    for kind in _children(root):
        if kind.name not in (_LOCKS, _SESSIONS):
            for folder in _children(kind):
                yield kind.name, folder


def _children(folder: Path) -> list[Path]:
    """Return the folders in ``folder`` that can be looked into, by name."""
    try:
        with os.scandir(folder) as children:
            names = [child.name for child in children if child.is_dir(follow_symlinks=False)]
    except (PermissionError, FileNotFoundError):
        # Another's, or pruned by another run just now.
        return []
    return [folder / name for name in sorted(names)]


def _is_ours(kind: str, key: str) -> bool:
    """Tell whether only the store can have made a folder, by its name."""
    return kind in KINDS and _KEY.fullmatch(key) is not None


def _sessions(folder: Path) -> list[Path]:
    """Return the files of sessions; whatever else lies there is not the store's."""
    try:
        return [path for path in folder.iterdir() if _SESSION.fullmatch(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_whole(folder: Path) -> bool:
    return _marker(folder) is not None


def _marker(folder: Path) -> _Marker | None:
    try:
        marker = msgspec.json.decode((folder / MARKER).read_bytes(), type=_Marker)
    except (OSError, msgspec.DecodeError):
        return None
    return marker if marker.schema == SCHEMA else None


def _write_marker(folder: Path, description: str) -> None:
    marker = _Marker(
        schema=SCHEMA,
        created=datetime.now(UTC).timestamp(),
        size=tree_size(folder),
        description=description,
    )
    draft = folder / f"{MARKER}.draft"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, msgspec.json.encode(marker))
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.rename(folder / MARKER)
    directory = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _entry(kind: str, folder: Path) -> Entry | None:
    marker = _marker(folder)
    try:
        used = (folder / MARKER).stat().st_mtime
    except OSError:
        return None
    if marker is None:
        return None
    return Entry(
        kind=kind,
        key=folder.name,
        path=folder,
        description=marker.description,
        size=marker.size,
        created=marker.created,
        used=used,
    )


def _doomed(entries: list[Entry], older_than_s: float | None, keep: int | None) -> list[Entry]:
    doomed: dict[tuple[str, str], Entry] = {}
    if older_than_s is not None:
        limit = time.time() - older_than_s
        doomed.update({(e.kind, e.key): e for e in entries if e.used < limit})
    if keep is not None:
        for kind in {entry.kind for entry in entries}:
            newest_first = sorted((e for e in entries if e.kind == kind), key=lambda e: -e.used)
            doomed.update({(e.kind, e.key): e for e in newest_first[keep:]})
    return list(doomed.values())


def _uses_of(session: Path) -> frozenset[str]:
    """Entries that the process of a session uses; a dead process's session is removed."""
    try:
        fd = os.open(session, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return frozenset()
    try:
        try:
            _lock(fd, session.parents[1], fcntl.LOCK_NB)
        except BlockingIOError:
            return frozenset(session.read_text().split())
        session.unlink(missing_ok=True)
        return frozenset()
    finally:
        os.close(fd)


def _free_mb(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free // 1_000_000
    except OSError:
        return 0


def _is_below(name: object, root: Path) -> bool:
    if not isinstance(name, str):
        return False
    # The root itself, what is in it, and the parents that had to be made for it.
    path = Path(name)
    return path.is_relative_to(root) or root.is_relative_to(path)
