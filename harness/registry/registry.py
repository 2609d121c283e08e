"""The configured package indexes and folders as one, with a memory."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from packaging.metadata import RawMetadata, parse_email
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from harness.errors import Unavailable
from harness.model.environment import PackageSources, Store
from harness.registry.disk import files_of, metadata_of_wheel, path_of
from harness.registry.fetch import Fetcher, Unreached
from harness.registry.pages import ACCEPT, read_page
from harness.registry.places import Place, places
from harness.registry.release import File, Release, read_name, releases
from harness.registry.remote import metadata_of_remote

MAX_AGE: Final = timedelta(days=1)
"""How old an answer may be before the index is asked again."""
_KIND: Final = "registry"
_ANSWER: Final = "answer.json"
_METADATA: Final = "METADATA"


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What an index said of a project, and when."""

    asked: datetime
    files: tuple[File, ...]


# Made here, by one thread: where several are the first to decode a type at once, msgspec 0.22
# reads what it has half made, and the process dies.
_ANSWERS: Final = msgspec.json.Decoder(_Answer)


class Registry:
    """What the configured indexes and folders have; may be used by several threads.

    As with pip, the best of all places counts: their releases are joined.

    Parameters
    ----------
    store
        Keeps what an index answered.  Folders of this machine are read anew each time.
    sources
        Where packages come from.
    max_age
        How old a kept answer may be; ``timedelta(0)`` asks each index once in this object's
        life.
    now
        The clock.
    """

    def __init__(
        self,
        store: Store,
        sources: PackageSources,
        *,
        max_age: timedelta = MAX_AGE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._places = places(sources)
        self._fetcher = Fetcher(sources.env)
        self._max_age = max_age
        self._now = now
        self._mutex = threading.Lock()
        self._guards: dict[str, threading.Lock] = {}
        self._files: dict[str, tuple[tuple[Place, File], ...]] = {}
        self._releases: dict[str, tuple[Release, ...]] = {}
        self._unreached: dict[str, Unavailable] = {}
        self._stale: dict[tuple[str, str], list[str]] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user: which answers are old because an index is out of reach."""
        with self._mutex:
            return tuple(
                f"{error}; what it said of {', '.join(sorted(set(names)))} on {day} is used"
                for (error, day), names in self._stale.items()
            )

    def releases(self, name: str) -> tuple[Release, ...]:
        """Return the releases of a package, the oldest version first; none where nobody has it.

        Raises
        ------
        Unavailable
            If an index is out of reach and nothing of it is kept.
        """
        project = str(canonicalize_name(name))
        files = self._project(name)
        with self._mutex:
            found = self._releases.get(project)
        if found is None:
            found = releases(name, (file for _, file in files))
            with self._mutex:
                self._releases[project] = found
        return found

    def release(self, name: str, version: str) -> Release | None:
        """Return one release, or ``None`` where there is none; raises as :meth:`releases`."""
        wanted = _version(version)
        found = (one for one in self.releases(name) if Version(one.version) == wanted)
        return next(found, None)

    def metadata(self, name: str, version: str, python: str | None = None) -> RawMetadata | None:
        """Return the core metadata of a release: what it requires, among others.

        Read from the file beside a wheel (PEP 658), or out of the wheel itself.

        Parameters
        ----------
        python
            Takes a wheel for this minor of CPython where the release has several.

        Returns
        -------
        RawMetadata or None
            ``None`` where no wheel of it says any.

        Raises
        ------
        Unavailable
            As :meth:`releases`.
        """
        for place, file in self._wheels(name, version, python):
            text = self._metadata_text(place, file)
            if text is not None:
                return parse_email(text)[0]
        return None

    def _wheels(self, name: str, version: str, python: str | None) -> list[tuple[Place, File]]:
        """The wheels to ask for metadata: those for ``python`` first, and few."""
        wanted = _version(version)
        found = []
        for place, file in self._project(name):
            read = read_name(name, file.name)
            if read is not None and read == (wanted, True):
                found.append((place, file))

        def rank(item: tuple[Place, File]) -> tuple[bool, str]:
            alone = Release(version=version, wheels=(item[1].name,))
            return (python or "") not in alone.pythons and bool(alone.pythons), item[1].name

        # One wheel speaks for the release; a second in case the first has lost its metadata.
        return sorted(found, key=rank)[:2]

    def _project(self, name: str) -> tuple[tuple[Place, File], ...]:
        project = str(canonicalize_name(name))
        with self._mutex:
            guard = self._guards.setdefault(project, threading.Lock())
        with guard:
            if project not in self._files:
                self._files[project] = tuple(
                    (place, file) for place in self._places for file in self._ask(place, project)
                )
            return self._files[project]

    def _ask(self, place: Place, project: str) -> tuple[File, ...]:
        local = path_of(place.address)
        if local is not None:
            return files_of(local / project if place.is_index else local)
        kept = self._kept(place, project)
        if kept is not None and self._now() - kept.asked < self._max_age:
            return kept.files
        try:
            files = self._fetch(place, project)
        except Unavailable as error:
            if kept is None:
                raise
            with self._mutex:
                day = f"{kept.asked:%Y-%m-%d}"
                self._stale.setdefault((str(error), day), []).append(project)
            return kept.files
        self._keep(place, project, _Answer(asked=self._now(), files=files))
        return files

    def _fetch(self, place: Place, project: str) -> tuple[File, ...]:
        with self._mutex:
            unreached = self._unreached.get(place.address)
        if unreached is not None:
            raise unreached
        address = f"{place.address}/{project}/" if place.is_index else place.address
        try:
            found = self._fetcher.get(place, address, ACCEPT)
        except Unavailable as error:
            # It is asked no more: every further question would wait as long.
            with self._mutex:
                self._unreached[place.address] = error
            raise
        if found is None:
            return ()
        try:
            return read_page(*found)
        except ValueError as error:
            raise Unreached(
                f"the package index did not answer as one does ({error}); check pip's or uv's "
                "settings"
            ) from None

    def _metadata_text(self, place: Place, file: File) -> str | None:
        local = path_of(file.address)
        if local is not None:
            return metadata_of_wheel(local)
        path = self._folder("metadata", file.address, what=f"metadata of {file.name}") / _METADATA
        if not path.is_file():
            found = self._fetcher.get(place, f"{file.address}.metadata")
            text = metadata_of_remote(self._fetcher, place, file.address) if found is None else None
            if found is None and text is None:
                return None
            _write(path, found[0] if found else (text or "").encode())
        return path.read_text(encoding="utf-8", errors="replace")

    def _kept(self, place: Place, project: str) -> _Answer | None:
        try:
            return _ANSWERS.decode(self._answer(place, project).read_bytes())
        except (OSError, msgspec.DecodeError):
            return None

    def _keep(self, place: Place, project: str, answer: _Answer) -> None:
        _write(self._answer(place, project), msgspec.json.encode(answer))

    def _answer(self, place: Place, project: str) -> Path:
        return self._folder(place.address, project, what=f"package index: {project}") / _ANSWER

    def _folder(self, *parts: str, what: str) -> Path:
        """The folder of an answer; the store makes it, and what is in it is renewed in place.

        Thus an old answer is there until a new one is.
        """
        key = hashlib.sha256("\0".join(("1", *parts)).encode()).hexdigest()
        return self._store.ensure(_KIND, key, _nothing, description=what)


def _nothing(_folder: Path, /) -> None:
    """Fill a folder with nothing: what is put there later is renewed in place."""


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _write(path: Path, body: bytes) -> None:
    """Write in one step: another process may be reading, or writing the same."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    draft.write_bytes(body)
    draft.replace(path)
