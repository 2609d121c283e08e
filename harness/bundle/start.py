"""What a bundle runs first: it checks the file, unpacks it, and starts the harness that is in it.

    python3 FILE --results DIR

This module is the ``__main__.py`` of the file, so that it needs no more than Python 3.7 with its
standard library; the harness unpacks bundles by the same functions.  Nothing in the file is run,
and no part of it is written anywhere but below the one folder, until all of it is found to be
what the manifest says.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import json
import lzma
import os
import shutil
import stat
import sys
import tarfile
import time
import zipfile
import zlib
from typing import IO, Any

MANIFEST, PAYLOAD, SCHEMA = "manifest.json", "payload.tar.xz", 1
MARKER, MARKER_SCHEMA = ".complete", 1
"""As the harness's own store marks what is whole."""
FILES = ".files"
"""The list of what lies there, as the harness's own store writes it."""
IN_USE = ".in-use"
"""Locked by those who run cells from there."""
CALLERS = "HARNESS_CALLERS_PYTHONPATH"
"""Where the harness that is started finds the caller's ``PYTHONPATH``."""
MOST_MANIFEST = 64_000_000
"""Bytes of a manifest: a thousand times that of a usual one."""
MOST_FILES = 1_000_000
MOST_MEMORY = 200_000_000
"""Bytes that the decompressor may take: its headers can ask for 4 GiB."""
LONGEST = 1000
"""Characters of the name of a file in it, or of what a link leads to."""
_HEADERS = 4096
"""Bytes of the archive for each file beside its content, at most."""
_LONGEST_HEADER = 1 << 16
"""Bytes of a header of the archive that holds a name or attributes, which is read at once."""
_PACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""Of other kinds of members, Python unpacks more than it is asked for."""
_PIECE = 1 << 20
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}
"""What a file system says that keeps no locks."""
_FAULTS = (
    OSError, EOFError, ValueError, KeyError, TypeError, OverflowError, RecursionError, MemoryError,
    NotImplementedError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError,
)  # fmt: skip
"""What the readers of zip, tar and xz raise on a damaged or hostile file."""


class Refused(Exception):
    """The file is no bundle, or not a whole one; the message is a clause without the file."""


class NoRoom(Exception):
    """It cannot be unpacked here; the message is a sentence."""


class Elsewhere(Exception):
    """Its programs are for another machine; the message is a clause without the file."""


class Used(Exception):
    """It is damaged, and somebody runs cells from it; the message is a sentence."""


def read_manifest(file: str) -> tuple[bytes, dict[str, Any]]:
    """Return the manifest of a bundle, as it stands in the file and decoded.

    Raises ``Refused``.
    """
    try:
        with zipfile.ZipFile(file) as bundle:
            names = bundle.namelist()
            if names.count(MANIFEST) != 1 or names.count(PAYLOAD) != 1:
                raise Refused("it is no bundle: make one with `harness bundle`")
            kinds = {bundle.getinfo(name).compress_type for name in (MANIFEST, PAYLOAD)}
            if not kinds <= _PACKED:
                raise Refused("it is packed in a way that no bundle is")
            with bundle.open(MANIFEST) as member:
                text = member.read(MOST_MANIFEST + 1)
        if len(text) > MOST_MANIFEST:
            raise Refused("its manifest is too large")
        said = json.loads(text.decode("utf-8"))
        _check(said)
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror or error}") from None
    except _FAULTS:
        raise Refused("it is no bundle, or a damaged one") from None
    return text, said


def _check(said: dict[str, Any]) -> None:
    """Raise ``Refused``, or what a thing of another kind raises, where a manifest is none."""
    if type(said["schema"]) is not int:
        raise Refused("its manifest is none")
    if said["schema"] > SCHEMA:
        raise Refused(
            f"it was made by a newer harness (layout {said['schema']}, and this one reads up to "
            f"{SCHEMA})"
        )
    payload = said["payload"]
    for name in ("size", "unpacked", "files"):
        if type(payload[name]) is not int or payload[name] < 0:
            raise Refused(f"its manifest says no {name!r} of the content")
    if not isinstance(payload["sha256"], str):
        raise Refused("its manifest has no digest")
    if payload["files"] > MOST_FILES:
        raise Refused(f"it has more than {MOST_FILES} files")


def key_of(manifest: bytes) -> str:
    """Return the name of a bundle in the store: the digest of its manifest."""
    return hashlib.sha256(manifest).hexdigest()


def unpack(file: str, folder: str) -> int:
    """Unpack a bundle into ``folder``, which is there and empty; return the bytes written.

    Raises
    ------
    Refused
        It is not what its manifest says, or would write outside of ``folder``.
    NoRoom
        The disk has no room for it.
    OSError
        The folder cannot be written to.
    """
    _text, said = read_manifest(file)
    payload = said["payload"]
    free = shutil.disk_usage(folder).free
    if payload["unpacked"] > free:
        raise NoRoom(
            f"unpacked it takes {payload['unpacked'] >> 20} MB, and there is room for "
            f"{free >> 20} MB in {folder}; set HARNESS_CACHE to a folder on another disk"
        )
    with zipfile.ZipFile(file) as bundle:
        _check_digest(bundle, payload)
        with _opened(bundle) as packed:
            try:
                stream = _Unpacked(packed, payload["unpacked"], payload["files"])
                archive = tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header)  # type: ignore[call-overload]  # noqa: SIM115
            except _FAULTS as error:
                raise Refused(f"it cannot be unpacked: {error}") from None
            with archive:
                return _Writer(folder, payload).write(archive)


def _opened(bundle: zipfile.ZipFile) -> IO[bytes]:
    try:
        return bundle.open(PAYLOAD)
    except _FAULTS:
        raise Refused("it is no bundle, or a damaged one") from None


def _check_digest(bundle: zipfile.ZipFile, payload: dict[str, Any]) -> None:
    digest, size = hashlib.sha256(), 0
    with _opened(bundle) as packed:
        while True:
            try:
                piece = packed.read(_PIECE)
            except _FAULTS:
                raise Refused("it is damaged") from None
            if not piece:
                break
            digest.update(piece)
            size += len(piece)
            if size > payload["size"]:
                raise Refused("its content is larger than its manifest says")
    if size != payload["size"] or digest.hexdigest() != payload["sha256"]:
        raise Refused("its content is not what its manifest says: it is damaged or was changed")


class _Header(tarfile.TarInfo):
    """What stands before a file; one that is read at once may not be as large as it likes."""

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if self.size > _LONGEST_HEADER and self.type not in tarfile.REGULAR_TYPES:
            raise Refused("it has a header that is too long")
        return super()._proc_member(archive)  # type: ignore[misc]


class _Unpacked:
    """The archive as it is decompressed, never more of it than the manifest says."""

    def __init__(self, packed: IO[bytes], most: int, files: int) -> None:
        self._packed = packed
        self._left = most + (files + 16) * _HEADERS
        self._reader = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY)

    def read(self, size: int) -> bytes:
        pieces = []
        while size > 0 and not self._reader.eof:
            given = self._packed.read(_PIECE) if self._reader.needs_input else b""
            if self._reader.needs_input and not given:
                raise Refused("it ends too soon")
            piece = self._reader.decompress(given, max_length=min(size, _PIECE))
            size -= len(piece)
            self._left -= len(piece)
            if self._left < 0:
                raise Refused("unpacked it is larger than its manifest says")
            pieces.append(piece)
        return b"".join(pieces)


class _Writer:
    """Writes what is in an archive below one folder, and refuses all that would lie elsewhere."""

    def __init__(self, folder: str, payload: dict[str, Any]) -> None:
        self._folder = folder
        self._room, self._files = payload["unpacked"], payload["files"]
        self._kinds = {"": "folder"}
        self.written = 0

    def write(self, archive: tarfile.TarFile) -> int:
        while True:
            try:
                member = archive.next()
                # A stream is read once: what was read needs no keeping.
                archive.members = []  # type: ignore[attr-defined]
            except Refused:
                raise
            except _FAULTS as error:
                raise Refused(f"it cannot be unpacked: {error}") from None
            if member is None:
                return self.written
            self._files -= 1
            if self._files < 0:
                raise Refused("it has more files than its manifest says")
            self._one(archive, member)

    def _one(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = member.name
        parts = name.split("/")
        if len(name) > LONGEST or "\0" in name or not _is_plain(parts):
            raise Refused(f"it would write to {name[:100]!r}, outside of its folder")
        if parts[0] in (MARKER, FILES, IN_USE):
            raise Refused(f"it would write {parts[0]!r}, which is no part of a bundle")
        for end in range(1, len(parts)):
            above = "/".join(parts[:end])
            if self._kinds.setdefault(above, "folder") != "folder":
                raise Refused(f"it would write through {above!r}, which is no folder")
        if name in self._kinds and not (member.isdir() and self._kinds[name] == "folder"):
            raise Refused(f"it has {name!r} twice")
        path = os.path.join(self._folder, *parts)
        try:
            self._placed(archive, member, name, path)
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL):
                raise Refused(f"the name {name[:100]!r} is not possible here") from None
            raise

    def _placed(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, path: str
    ) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if member.isdir():
            self._kinds[name] = "folder"
            os.makedirs(path, exist_ok=True)
        elif member.issym():
            self._kinds[name] = "link"
            if not _stays_inside(name.split("/"), member.linkname):
                raise Refused(f"its link {name!r} leads outside of its folder")
            os.symlink(member.linkname, path)
        elif member.isreg() and not member.issparse():
            self._kinds[name] = "file"
            self._content(archive, member, path)
        else:
            raise Refused(f"{name!r} is no file, folder or link")

    def _content(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        mode = 0o755 if member.mode & stat.S_IXUSR else 0o644
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        content = archive.extractfile(member)
        assert content is not None
        left = member.size
        self._room -= left
        if left < 0 or self._room < 0:
            raise Refused("unpacked it is larger than its manifest says")
        with os.fdopen(os.open(path, flags, mode), "wb") as target:
            while left > 0:
                try:
                    piece = content.read(min(left, _PIECE))
                except Refused:
                    raise
                except _FAULTS as error:
                    raise Refused(f"it cannot be unpacked: {error}") from None
                if not piece:
                    raise Refused("it ends too soon")
                target.write(piece)
                left -= len(piece)
        self.written += member.size
        # Compiled modules say of which second their source is. It is read now, and those who
        # clean a disk of what nobody reads go by that.
        os.utime(path, (time.time(), max(0, min(int(member.mtime), 2**32))))


def _inside(folder: str, place: str) -> str:
    parts = place.split("/")
    if not _is_plain(parts):
        raise Refused("it would start what is not in it")
    return os.path.join(folder, *parts)


def _is_plain(parts: list[str]) -> bool:
    return all(part not in ("", ".", "..") for part in parts)


def _stays_inside(parts: list[str], target: str) -> bool:
    """Say whether a link, whose folders are no links, leads to a place inside.

    ``..`` comes first or not at all: after a name, that may be a link itself, it leads anywhere.
    """
    steps = target.split("/")
    up = 0
    while up < len(steps) and steps[up] == "..":
        up += 1
    short = len(target) <= LONGEST and "\0" not in target
    return short and up < len(parts) and up < len(steps) and _is_plain(steps[up:])


def store_folder(environ: dict[str, str]) -> str:
    """Return the folder of the harness's store, as the harness itself finds it."""
    named = environ.get("HARNESS_CACHE")
    if named:
        return os.path.abspath(os.path.expanduser(named))
    caches = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(caches, "r-python-harness")


def damage(folder: str) -> str:
    """Return what is wrong with the first file of a bundle that is not as it was made ready.

    Empty where all are, and where it was not made ready yet.  ``Used`` is raised where something
    is wrong and others run cells from there: it cannot be put right under them.  ``NoRoom`` is
    raised where nobody can tell.
    """
    lost = _first_lost(folder)
    if lost:
        with open(os.path.join(folder, IN_USE), "a") as use:
            try:
                _lock(use, fcntl.LOCK_EX | fcntl.LOCK_NB, folder)
            except BlockingIOError:
                raise Used(
                    f"{folder} was damaged ({lost}), and another run uses it: begin again when "
                    "that has ended, and it is unpacked anew"
                ) from None
    return lost


def _lock(file: IO[str], how: int, folder: str) -> None:
    try:
        fcntl.flock(file, how)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise NoRoom(
            f"{folder}: this file system keeps no locks; set HARNESS_CACHE to a folder on a local "
            "disk"
        ) from None


def _first_lost(folder: str) -> str:
    """As ``harness.provision.listing.first_damaged``, of which a bundle has nothing to start by."""
    try:
        with open(os.path.join(folder, FILES), "rb") as listed:
            packed = listed.read()
        lines = gzip.decompress(packed).split(b"\0")
    except FileNotFoundError:
        return ""
    except (OSError, EOFError, zlib.error):
        return f"{FILES} cannot be read"
    if not packed:
        return f"{FILES} is empty"
    for size, _, name in (line.partition(b" ") for line in lines if line):
        try:
            found = os.lstat(os.path.join(os.fsencode(folder), name)).st_size
        except OSError:
            return f"{os.fsdecode(name)} is gone"
        if found != int(size):
            return f"{os.fsdecode(name)} has {found} bytes instead of {int(size)}"
    return ""


def _brought(file: str, store: str) -> tuple[str, dict[str, Any]]:
    """Return the folder of a bundle in the store, unpacked where it is not there yet."""
    text, said = read_manifest(file)
    # Before gigabytes are unpacked for nothing.
    why_not = _why_not_here(said)
    if why_not:
        raise Elsewhere(why_not)
    key = key_of(text)
    folder = os.path.join(store, "bundle", key)
    locks = os.path.join(store, "locks", "bundle")
    os.makedirs(locks, exist_ok=True)
    with open(os.path.join(locks, key), "a") as lock:
        # The kernel frees it when this process ends, however it ends.
        _lock(lock, fcntl.LOCK_EX, store)
        marker = os.path.join(folder, MARKER)
        is_whole = os.path.exists(marker)
        lost = damage(folder) if is_whole else ""
        if lost:
            sys.stderr.write(f"{folder} was damaged ({lost})\n")
        if lost or not is_whole:
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            sys.stderr.write(f"unpacking {file} into {folder}, once\n")
            try:
                size = unpack(file, folder)
                whole: dict[str, Any] = {"schema": MARKER_SCHEMA, "created": time.time()}
                whole["size"] = size
                whole["description"] = f"bundle of {said.get('matrix', 'cells')}"
                with open(marker + ".draft", "w") as draft:
                    json.dump(whole, draft)
                    draft.flush()
                    os.fsync(draft.fileno())
                os.rename(marker + ".draft", marker)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    return folder, said


def main(arguments: list[str]) -> int:
    """Unpack the file that this module lies in, and become the harness that is in it."""
    file = os.path.abspath(sys.argv[0])
    try:
        folder, said = _brought(file, store_folder(dict(os.environ)))
        python, site = (_inside(folder, said["start"][name]) for name in ("python", "site"))
    except Refused as error:
        sys.stderr.write(f"harness: {file}: {error}\n")
        return 2
    except (Elsewhere, NoRoom, Used) as error:
        sys.stderr.write(f"harness: {file}: {error}\n")
        return 4
    except OSError as error:
        sys.stderr.write(
            f"harness: {file} cannot be unpacked here: {error}; set HARNESS_CACHE to a folder of "
            "yours with room\n"
        )
        return 4
    except (AttributeError, KeyError, TypeError):
        sys.stderr.write(f"harness: {file}: its manifest does not say what to start\n")
        return 2
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    own = {"PYTHONPATH": site, "PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    # Cells do not see what lies there, and are to say so.
    own[CALLERS] = os.environ.get("PYTHONPATH", "")
    command = [python, "-P", "-m", "harness"]
    if arguments[:1] in (["-h"], ["--help"]):
        command += ["run", *arguments]
    else:
        command += ["run", "--bundle", file, *arguments]
        if said.get("system_site") and "--python" not in " ".join(arguments):
            # The Python that was asked to start this is the one whose packages are meant.
            command += ["--python", sys.executable]
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(python, command, {**kept, **own})  # noqa: S606 - a shell is what it goes without
    except OSError as error:
        sys.stderr.write(f"harness: the Python of the bundle cannot be started: {error.strerror}\n")
    return 4


def _why_not_here(said: dict[str, Any]) -> str:
    """Return a clause on why the programs of a bundle do not run here; empty where they do."""
    uname = os.uname()
    here = f"{uname.machine} {uname.sysname}"
    if said.get("machine") != here:
        return f"its programs are for {said.get('machine')}, and this machine is {here}"
    needs = said.get("start", {}).get("libc")
    try:
        has = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()[-1]
        old = [int(part) for part in has.split(".")] < [int(part) for part in needs.split(".")]
    except (AttributeError, IndexError, OSError, ValueError):
        has, old = "another", needs is not None
    if old:
        return (
            f"its programs need the GNU C library {needs} or newer, and this machine has {has}; "
            "make it on an older system"
        )
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
