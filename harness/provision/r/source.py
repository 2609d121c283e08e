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
import zlib
from functools import cached_property, partial
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import Unavailable, UsageError
from harness.provision.pipconfig import redact
from harness.provision.trees import digest_of, ignored
from harness.provision.trees import unpack as unpack_archive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.model.environment import SourcePackage, Store

VARIABLE: Final = "HARNESS_CRAN"
HOW: Final = (
    f"set {VARIABLE} (or give `harness run --cran`) to a CRAN-like repository that has it: an "
    "http address, a folder with src/contrib, or one with unpacked sources; or name the source "
    "itself with `--bridge NAME=PATH`"
)
_NAMED: Final = 8
"""Of more versions than these, a message names the first and the last alone."""
_KIND: Final = "r-source"
_REMOTE: Final = frozenset({"http", "https", "ftp"})
_PATIENCE_S: Final = 30.0
_ARCHIVE: Final = re.compile(r"(?P<name>[A-Za-z][\w.]*)_(?P<version>\d[\d.-]*)\.(tar\.gz|tgz)")
_LINK: Final = re.compile(r"""href=["']?([^"'>]+)""", re.IGNORECASE)
_SERIES_PARTS: Final = 2
"""A version of so many parts, or of fewer, names a series."""
_NEEDED: Final = re.compile(
    r"(?P<name>[A-Za-z][\w.]*)\s*(\(\s*(?P<sign>[<>=!]=?)\s*(?P<version>[\d.-]+)\s*\))?"
)
_FIELDS: Final = ("Depends", "Imports", "LinkingTo")
"""What of a ``DESCRIPTION`` must be there to build a package and to load it."""


def address_of(named: str | None, environ: Mapping[str, str] | None = None) -> str:
    """Return the repository's address: ``named``, else that of the environment, else nothing.

    Raises
    ------
    UsageError
        It is no address.
    """
    environ = os.environ if environ is None else environ
    address = (named or environ.get(VARIABLE) or "").strip().rstrip("/")
    if address.partition(":")[0].lower() in _REMOTE and not _is_address(address):
        raise UsageError(
            f"'{redact(address)}' is no address of a repository of R packages; give --cran (or "
            f"{VARIABLE}) one such as https://cloud.r-project.org, or a folder"
        )
    return address


def _is_address(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return bool(parts.hostname) and not any(sign.isspace() for sign in text)


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """A package that another needs (``R`` itself, too), and the version that it must have."""

    name: str
    sign: str = ""
    version: str = ""

    def is_met(self, version: str) -> bool:
        """Tell whether ``version`` will do; versions are compared as R does it."""
        has, wanted = parts_of(version), parts_of(self.version)
        signs = {
            "": True,
            ">=": has >= wanted,
            ">": has > wanted,
            "<=": has <= wanted,
            "<": has < wanted,
            "==": has == wanted,
            "!=": has != wanted,
        }
        return signs.get(self.sign, True)

    def __str__(self) -> str:
        return " ".join(part for part in (self.name, self.sign, self.version) if part)


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
            shutil.copytree(self.place, target, symlinks=True, ignore=ignored)
            return target
        try:
            unpack_archive(self.place, folder)
        except (OSError, tarfile.TarError) as error:
            raise Unavailable(f"{self.place} cannot be unpacked: {error}") from error
        if not (target / "DESCRIPTION").is_file():
            raise Unavailable(f"{self.place} has no {self.name}/DESCRIPTION: no R package")
        return target

    def needs(self) -> tuple[Needed, ...]:
        """Return what the package needs, as its ``DESCRIPTION`` says.

        Raises ``Unavailable`` where that cannot be read.
        """
        record = self._description()
        text = ",".join(record[field] for field in _FIELDS if field in record)
        found = (_NEEDED.fullmatch(part.strip()) for part in text.split(","))
        return tuple(
            Needed(name=one["name"], sign=one["sign"] or "", version=one["version"] or "")
            for one in dict.fromkeys(found)
            if one is not None
        )

    def _description(self) -> dict[str, str]:
        if self.place.is_dir():
            return description_of(self.place)
        try:
            with tarfile.open(self.place) as archive:
                member = archive.extractfile(f"{self.name}/DESCRIPTION")
                text = b"" if member is None else member.read()
        except (OSError, KeyError, tarfile.TarError, EOFError) as error:
            raise Unavailable(f"{self.place} has no DESCRIPTION to read: {error}") from error
        return next(_records(text.decode("utf-8", "replace")), {})


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
        # What is unpacked comes before an archive of the same version.
        found = dict(reversed(list(_in_folder(folder, package.name))))
        version = newest_of(package.version, found)
        if version is not None:
            place = found[version]
            digest = digest_of(place)
            return Source(name=package.name, version=version, place=place, digest=digest)
        raise Unavailable(f"{folder} ({VARIABLE}) has no {what}: {_has(found)}{HOW}")

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the versions of a package that the repository has, oldest first.

        None where no repository is named.

        Raises
        ------
        Unavailable
            If it cannot be reached.
        """
        if not self.address:
            return ()
        if self._is_remote:
            current = self._record(name).get("Version")
            found = {*self._archived(name), *((current,) if current else ())}
        else:
            found = {version for version, _place in _in_folder(self._folder, name)}
        return tuple(sorted(found, key=parts_of))

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
        except (OSError, EOFError, zlib.error) as error:
            return str(getattr(error, "reason", None) or error)
        if data is None:
            return "there is no src/contrib/PACKAGES"
        records = _records(data.decode("utf-8", "replace"))
        return {record["Package"]: record for record in records if "Package" in record}

    def _record(self, name: str) -> dict[str, str]:
        """Return what the repository lists of a package; nothing where it does not list it."""
        if isinstance(self._listed, str):
            raise Unavailable(
                f"the repository {redact(self.address)} ({VARIABLE}) cannot be read: "
                f"{redact(self._listed)}; {HOW}"
            )
        return self._listed.get(name, {})

    def _archived(self, name: str) -> set[str]:
        """Return the versions in a package's archive, which is listed by the server alone.

        None where it lists no folders: a version can be asked for all the same.
        """
        try:
            page = self._get(f"src/contrib/Archive/{name}/")
        except OSError:
            return set()
        files = (link.rpartition("/")[2] for link in _LINK.findall((page or b"").decode("latin-1")))
        found = (_ARCHIVE.fullmatch(urllib.parse.unquote(file)) for file in files)
        return {one["version"] for one in found if one is not None and one["name"] == name}

    def _download(self, package: SourcePackage, what: str) -> Source:
        record = self._record(package.name)
        current = record.get("Version")
        version = newest_of(package.version, [current] if current else [])
        if package.version is not None and is_series(package.version):
            known = (*self._archived(package.name), *((current,) if current else ()))
            version = newest_of(package.version, known)
        version = version or package.version
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
        return Source(name=package.name, version=version, place=place, digest=digest_of(place))

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
        except HTTPException as error:
            # What ends too soon, or is no HTTP at all.
            raise OSError(_plain(error)) from error


def _plain(error: HTTPException) -> str:
    if isinstance(error, IncompleteRead):
        return f"the connection ended {error.expected or 'some'} bytes too soon"
    return f"no answer that is HTTP ({type(error).__name__})"


def _of_place(place: Path, package: SourcePackage) -> Source:
    """Return the source that a package itself names."""
    version: str | None = None
    if (place / "DESCRIPTION").is_file():
        record = description_of(place)
        if record.get("Package") == package.name:
            version = record.get("Version")
    elif place.is_file() and (found := _ARCHIVE.fullmatch(place.name)):
        version = found["version"] if found["name"] == package.name else None
    if version is None:
        raise Unavailable(f"{place} is not the source of the R package {package.name}")
    if package.version not in (None, version):
        raise Unavailable(f"{place} is {package.name} {version}, not {package.version}")
    return Source(name=package.name, version=version, place=place, digest=digest_of(place))


def _in_folder(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Versions of a package below a folder, whatever kind of repository that is."""
    for contrib in (folder / "src" / "contrib", folder):
        places = [contrib / name, *contrib.glob(f"{name}_*"), *contrib.glob(f"Archive/{name}/*")]
        for place in sorted(places):
            if (place / "DESCRIPTION").is_file():
                record = description_of(place)
                if record.get("Package") == name and "Version" in record:
                    yield record["Version"], place
            elif place.is_file():
                found = _ARCHIVE.fullmatch(place.name)
                if found is not None and found["name"] == name:
                    yield found["version"], place


def description_of(folder: Path) -> dict[str, str]:
    """Return the fields of a package's ``DESCRIPTION``."""
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


def _has(found: Iterable[str]) -> str:
    versions = sorted(found, key=parts_of)
    if len(versions) > _NAMED:
        shown = f"{len(versions)} versions, {versions[0]} to {versions[-1]}"
        return f"it has {shown}; "
    return f"it has {', '.join(versions)}; " if versions else ""


def is_series(version: str) -> bool:
    """Tell whether a version as the axis ``bridge`` has it names a series.

    >>> is_series("1.40"), is_series("1.40.0")
    (True, False)
    """
    return len(parts_of(version)) <= _SERIES_PARTS


def is_asked(asked: str, version: str) -> bool:
    """Tell whether ``version`` is what is asked for: a series, or that very version.

    >>> is_asked("1.36", "1.36.1"), is_asked("1.41.0", "1.41.0.1"), is_asked("0.0-6", "0.0.6")
    (True, False, True)
    """
    has, wanted = parts_of(version), parts_of(asked)
    return (has[: len(wanted)] if is_series(asked) else has) == wanted


def newest_of(asked: str | None, versions: Iterable[str]) -> str | None:
    """Return the newest of ``versions`` that is asked for; ``None`` asks for any."""
    fitting = [version for version in versions if asked is None or is_asked(asked, version)]
    return max(fitting, key=parts_of, default=None)


def parts_of(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, by which R compares: 0.0-6 is (0, 0, 6)."""
    return tuple(int(part) for part in re.split(r"[.-]", version) if part.isdigit())
