"""Where the sources of R packages come from: a CRAN-like repository that the user names.

    http://, https://, ftp://   an address with ``src/contrib`` below it
    file:// or a path           a folder with ``src/contrib``, with tar archives, or with
                                unpacked sources (``rPython/DESCRIPTION``)

What a repository no longer lists, but still has in ``src/contrib/Archive``, is found there.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import Unavailable
from harness.provision.pipconfig import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.model.environment import SourcePackage, Store

VARIABLE: Final = "HARNESS_CRAN"
HOW: Final = (
    f"set {VARIABLE} (or give `harness run --cran`) to a CRAN-like repository that has it: an "
    "http address, a folder with src/contrib, or one with unpacked sources"
)
_KIND: Final = "r-source"
_REMOTE: Final = frozenset({"http", "https", "ftp"})
_PATIENCE_S: Final = 30.0
_ARCHIVE: Final = re.compile(r"(?P<name>[A-Za-z][\w.]*)_(?P<version>\d[\d.-]*)\.(tar\.gz|tgz)")
_COMPILED: Final = frozenset({".o", ".so"})
"""What a folder keeps that was built once: objects of another R or Python would be linked."""
_NOT_SOURCE: Final = frozenset({".git", ".hg", ".svn", ".Rproj.user"})


def address_of(named: str | None, environ: Mapping[str, str] | None = None) -> str:
    """Return the repository's address: ``named``, else that of the environment, else nothing."""
    environ = os.environ if environ is None else environ
    return (named or environ.get(VARIABLE) or "").strip().rstrip("/")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The source of one R package, on this machine.

    ``place`` is a folder or a tar archive; ``digest`` is of what is in it.
    """

    name: str
    version: str
    place: Path
    digest: str

    def unpack(self, folder: Path) -> Path:
        """Put a fresh copy below ``folder``, without what was compiled; return its folder.

        Raises ``Unavailable`` where the archive is damaged.
        """
        target = folder / self.name
        if self.place.is_dir():
            shutil.copytree(self.place, target, symlinks=True, ignore=_ignored)
            return target
        try:
            with tarfile.open(self.place) as archive:
                archive.extractall(folder, filter="data")
        except (OSError, tarfile.TarError, EOFError) as error:
            raise Unavailable(f"{self.place} cannot be unpacked: {error}") from error
        if not (target / "DESCRIPTION").is_file():
            raise Unavailable(f"{self.place} has no {self.name}/DESCRIPTION: no R package")
        return target


class Repository:
    """A CRAN-like repository; may be used by several threads.

    Parameters
    ----------
    address
        As the user wrote it; ``None`` takes that of the environment, and where there is none
        every question is answered by how to name one.
    store
        Keeps what was downloaded.
    """

    def __init__(
        self, address: str | None, store: Store, environ: Mapping[str, str] | None = None
    ) -> None:
        self.address = address_of(address, environ)
        self._store = store

    def find(self, package: SourcePackage) -> Source:
        """Return the source of ``package``.

        Raises
        ------
        Unavailable
            If no repository is named, it cannot be reached, or it has not got the package or
            that version of it.
        """
        if package.location is not None:
            return _of_place(Path(package.location).expanduser(), package)
        what = f"{package.name} {package.version or ''}".strip()
        if not self.address:
            raise Unavailable(f"there is no source of {what} here: {HOW}")
        if self._is_remote:
            return self._download(package, what)
        folder = self._folder
        if not folder.is_dir():
            raise Unavailable(f"{VARIABLE} names {folder}, which is no folder: {HOW}")
        found = list(_in_folder(folder, package.name))
        fitting = [source for source in found if package.version in (None, source[0])]
        if fitting:
            version, place = max(fitting, key=lambda source: _parts(source[0]))
            digest = _digest_of(place)
            return Source(name=package.name, version=version, place=place, digest=digest)
        has = f"it has {', '.join(version for version, _place in found)}; " if found else ""
        raise Unavailable(f"{folder} ({VARIABLE}) has no {what}: {has}{HOW}")

    @property
    def _is_remote(self) -> bool:
        return urllib.parse.urlsplit(self.address).scheme in _REMOTE

    @property
    def _folder(self) -> Path:
        parts = urllib.parse.urlsplit(self.address)
        if parts.scheme == "file":
            return Path(urllib.parse.unquote(parts.path))
        return Path(self.address).expanduser().absolute()

    # -- over the network

    @cached_property
    def _listed(self) -> dict[str, dict[str, str]] | str:
        """What the repository lists, by name; why it cannot be read, where it cannot."""
        try:
            packed = self._get("src/contrib/PACKAGES.gz")
            data = None if packed is None else gzip.decompress(packed)
            data = data or self._get("src/contrib/PACKAGES")
        except (OSError, EOFError) as error:
            return str(getattr(error, "reason", None) or error)
        if data is None:
            return "there is no src/contrib/PACKAGES"
        records = _records(data.decode("utf-8", "replace"))
        return {record["Package"]: record for record in records if "Package" in record}

    def _download(self, package: SourcePackage, what: str) -> Source:
        if isinstance(self._listed, str):
            raise Unavailable(
                f"the repository {redact(self.address)} ({VARIABLE}) cannot be read: "
                f"{redact(self._listed)}; {HOW}"
            )
        record = self._listed.get(package.name, {})
        version = package.version or record.get("Version")
        if version is None:
            raise Unavailable(f"{redact(self.address)} ({VARIABLE}) has no {what}: {HOW}")
        file = f"{package.name}_{version}.tar.gz"
        places = [f"src/contrib/Archive/{package.name}/{file}"]
        if record.get("Version") == version:
            places.insert(0, f"src/contrib/{file}")
        md5 = record.get("MD5sum", "") if len(places) > 1 else ""
        key = hashlib.sha256(f"{self.address}\0{file}\0{md5}".encode()).hexdigest()
        folder = self._store.ensure(
            _KIND, key, partial(self._fetch, places, file, md5, what), description=what
        )
        place = folder / file
        return Source(name=package.name, version=version, place=place, digest=_digest_of(place))

    def _fetch(self, places: list[str], file: str, md5: str, what: str, folder: Path) -> None:
        try:
            data = next((data for place in places if (data := self._get(place)) is not None), None)
        except OSError as error:
            reason = redact(str(getattr(error, "reason", None) or error))
            raise Unavailable(
                f"{what} could not be fetched from {redact(self.address)} ({VARIABLE}): {reason}"
            ) from error
        if data is None:
            raise Unavailable(f"{redact(self.address)} ({VARIABLE}) has no {what}: {HOW}")
        if md5 and hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
            raise Unavailable(
                f"{what} of {redact(self.address)} ({VARIABLE}) is not what its list says (MD5)"
            )
        (folder / file).write_bytes(data)

    def _get(self, place: str) -> bytes | None:
        """Return a file of the repository; ``None`` where it has none; else ``OSError``."""
        # The scheme is one of three: see `_is_remote`.
        request = urllib.request.Request(f"{self.address}/{place}")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                return None
            raise
        except urllib.error.URLError as error:
            # What FTP says of a file that is not there.
            if "550" in str(error.reason):
                return None
            raise


def _of_place(place: Path, package: SourcePackage) -> Source:
    """Return the source that a package itself names."""
    version: str | None = None
    if (place / "DESCRIPTION").is_file():
        record = _description(place)
        if record.get("Package") == package.name:
            version = record.get("Version")
    elif place.is_file() and (found := _ARCHIVE.fullmatch(place.name)):
        version = found["version"] if found["name"] == package.name else None
    if version is None:
        raise Unavailable(f"{place} is not the source of the R package {package.name}")
    if package.version not in (None, version):
        raise Unavailable(f"{place} is {package.name} {version}, not {package.version}")
    return Source(name=package.name, version=version, place=place, digest=_digest_of(place))


def _in_folder(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Versions of a package below a folder, whatever kind of repository that is."""
    for contrib in (folder / "src" / "contrib", folder):
        places = [contrib / name, *contrib.glob(f"{name}_*"), *contrib.glob(f"Archive/{name}/*")]
        for place in sorted(places):
            if (place / "DESCRIPTION").is_file():
                record = _description(place)
                if record.get("Package") == name and "Version" in record:
                    yield record["Version"], place
            elif place.is_file():
                found = _ARCHIVE.fullmatch(place.name)
                if found is not None and found["name"] == name:
                    yield found["version"], place


def _description(folder: Path) -> dict[str, str]:
    text = (folder / "DESCRIPTION").read_text(encoding="utf-8", errors="replace")
    return next(_records(text), {})


def _records(text: str) -> Iterator[dict[str, str]]:
    """Records of Debian's control format, which R uses; lines that go on are joined."""
    for paragraph in re.split(r"\n\s*\n", text):
        record: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1].isspace() and name:
                record[name] += f" {line.strip()}"
            elif ":" in line:
                name, value = line.split(":", 1)
                record[name] = value.strip()
        if record:
            yield record


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.split(r"[.-]", version) if part.isdigit())


def _ignored(_folder: str, names: Iterable[str]) -> set[str]:
    return {name for name in names if name in _NOT_SOURCE or Path(name).suffix in _COMPILED}


def _digest_of(place: Path) -> str:
    """Digest of an archive, or of the names, modes and contents of what a folder would give."""
    digest = hashlib.sha256()
    if place.is_file():
        digest.update(place.read_bytes())
        return digest.hexdigest()
    for folder, folders, files in os.walk(place):
        folders[:] = sorted(set(folders) - _ignored(folder, folders))
        for name in sorted(set(files) - _ignored(folder, files)):
            path = Path(folder, name)
            digest.update(f"{path.relative_to(place)}\0{os.access(path, os.X_OK)}\0".encode())
            digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()
