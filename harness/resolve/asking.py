"""Questions to uv, each asked once, and their answers, which are kept."""

from __future__ import annotations

import hashlib
import platform
import re
import threading
import time
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Final

from harness.errors import Unavailable
from harness.model.environment import Lock
from harness.resolve.explain import NoSolution
from harness.resolve.kept import MAX_AGE_S, Kept, read, write
from harness.resolve.places import network_is_off
from harness.resolve.python import Absent, Python
from harness.resolve.uv import BACKEND, Manner, Question, Unreached, compile_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.model.environment import PackageSources, Store

_KIND: Final = "lock"
_LAYOUT: Final = "2"
_GIVEN_UP: Final = 3
"""So many questions in a row that reached no index, and no further one tries to."""
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_EXACT: Final = re.compile(r"[\w.-]+(\[[^\]]*\])?==[^*,;\s]+")


class Answered(Lock, frozen=True, kw_only=True):
    """A lock with what must be known of the answer: that it is an old one.  Empty mostly."""

    note: str = ""


class Asker:
    """Asks uv; may be used by several threads, which ask each question once.

    Parameters
    ----------
    store
        Keeps the answers.
    sources
        Where packages come from.
    clock
        Returns the seconds since the epoch.
    """

    def __init__(
        self, store: Store, sources: PackageSources, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._sources = sources
        self._clock = clock
        self._guard = threading.Lock()
        self._answers: dict[str, Future[Answered]] = {}
        self._unreached = 0
        self.asked = 0
        """How many questions were put to uv: those that no kept answer settled."""

    def lock(self, question: Question, python: Python, *, explained: bool = True) -> Answered:
        """Return the answer to a question.

        Parameters
        ----------
        explained
            Where there is none, look for the fewest requirements that are in conflict, which
            takes further questions.

        Raises
        ------
        NoSolution
            No set of packages exists.
        Unavailable
            An index is out of reach (``Unreached``), or uv does not know the Python.
        """
        key = _key(question, python, self._sources)
        with self._guard:
            future = self._answers.get(key)
            mine = future is None
            if future is None:
                future = self._answers[key] = Future()
        if mine:
            try:
                future.set_result(self._answer(key, question, python, explained=explained))
            except BaseException as error:
                # To be raised by whoever waits for it, too.
                future.set_exception(error)
                if not isinstance(error, NoSolution | Unavailable):
                    with self._guard:
                        del self._answers[key]
                    raise
        failure = future.exception()
        if failure is not None:
            # Without the places where it was raised before: they grow with everyone who asks.
            raise failure.with_traceback(None)
        return future.result()

    def _answer(self, key: str, question: Question, python: Python, *, explained: bool) -> Answered:
        kept, note = self._known_or_asked(key, question, python, explained=explained)
        if kept.pins is None:
            message = f"{kept.message} ({note})" if note else kept.message
            raise NoSolution(message, detail=kept.detail, asked=kept.in_conflict)
        executable = "" if isinstance(python, Absent) else str(python.executable)
        return Answered(
            text=kept.pins,
            digest=_digest(kept.pins, python.version, executable),
            options=question.options,
            note=note,
        )

    # -- kept, or asked

    def _known_or_asked(
        self, key: str, question: Question, python: Python, *, explained: bool
    ) -> tuple[Kept, str]:
        """Return the answer, and what must be known of it where it is an old one."""
        ask = partial(self._ask, question, python, explained=explained)
        fresh: list[Kept] = []

        def build(folder: Path) -> None:
            kept, offline = ask()
            fresh.append(kept)
            if offline:
                raise _NotToBeKept
            write(folder, kept)

        described = f"Python {python.version}: {', '.join(question.requirements)}"
        try:
            folder = self._store.ensure(_KIND, key, build, description=described)
        except _NotToBeKept:
            return fresh[0], "from what uv has kept: no package index is within reach"
        if fresh:
            return fresh[0], ""
        kept = read(folder)
        if kept is not None and (_is_settled(kept, question) or self._is_young(kept)):
            return kept, ""
        return self._renewed(folder, kept, ask)

    def _renewed(
        self, folder: Path, kept: Kept | None, ask: Callable[[], tuple[Kept, bool]]
    ) -> tuple[Kept, str]:
        """Ask again; the old answer serves where no index can be reached."""
        if kept is None or not self._is_out_of_reach():
            try:
                renewed, offline = ask()
            except Unreached:
                if kept is None:
                    raise
            else:
                if kept is None or not offline:
                    write(folder, renewed)
                    return renewed, ""
        assert kept is not None
        day = datetime.fromtimestamp(kept.asked, UTC).date()
        return kept, f"as of {day}: no package index is within reach now"

    def _is_young(self, kept: Kept) -> bool:
        return 0 <= self._clock() - kept.asked < MAX_AGE_S

    # -- uv

    def _is_out_of_reach(self) -> bool:
        with self._guard:
            return network_is_off(self._sources) or self._unreached >= _GIVEN_UP

    def _ask(self, question: Question, python: Python, *, explained: bool) -> tuple[Kept, bool]:
        """Return uv's answer, and whether it is from what uv has kept."""
        now = self._clock()
        offline = self._is_out_of_reach()
        try:
            pins = self._put(question, python, offline=offline)
        except NoSolution as error:
            smallest = self._smallest(question, python, error) if explained else error
            kept = Kept(
                asked=now,
                message=str(smallest),
                detail=smallest.detail,
                in_conflict=smallest.asked,
            )
            return kept, offline
        return Kept(asked=now, pins=pins), offline

    def _put(self, question: Question, python: Python, *, offline: bool) -> str:
        of_pytorch = BACKEND in question.options
        with self._guard:
            self.asked += 1
            # uv tries four times, which takes ten seconds where there is no network at all.
            retries = 0 if self._unreached or of_pytorch else None
        ask = partial(compile_lock, question, python, self._sources)
        try:
            try:
                pins = ask(Manner(retries=retries, offline=offline))
            except Unreached as error:
                # Many machines have a mirror of the Python package index, and no way to
                # PyTorch's: that is seen at once, and anything else is worth the patience.
                if offline or not of_pytorch or not error.passing:
                    raise
                pins = ask(Manner())
        except Unreached:
            with self._guard:
                self._unreached += not offline and not of_pytorch
            raise
        except NoSolution:
            self._reached(offline=offline)
            raise
        self._reached(offline=offline)
        return pins

    def _reached(self, *, offline: bool) -> None:
        if not offline:
            with self._guard:
                self._unreached = 0

    def _smallest(self, question: Question, python: Python, found: NoSolution) -> NoSolution:
        """Return the same with as few requirements as it takes: without each, it would be none.

        uv's account names the requirements that it rests on, which may be more than it takes.
        """
        names = {_name(spec) for spec in found.asked}
        asked = tuple(spec for spec in question.requirements if _name(spec) in names)
        if len(asked) < 2:  # noqa: PLR2004 - one is the fewest
            return found
        for spare in asked:
            rest = Question(
                requirements=tuple(spec for spec in asked if spec != spare),
                constraints=question.constraints,
                options=question.options,
            )
            try:
                self.lock(rest, python)
            except NoSolution as fewer:
                return fewer
            except Unavailable:
                continue
        return found


class _NotToBeKept(Exception):
    """An answer was found that is not to be kept, because it may be of another day."""


def _is_settled(kept: Kept, question: Question) -> bool:
    """Tell whether no new release can make the answer another one that somebody asked for.

    ``numpy`` is required by every cell, and by itself asks for no newer one.
    """
    return kept.pins is not None and all(
        spec == "numpy" or _EXACT.fullmatch(spec) for spec in question.requirements
    )


def _name(spec: str) -> str:
    found = _NAME.match(spec)
    return re.sub(r"[-_.]+", "-", found.group()).lower() if found else ""


def _key(question: Question, python: Python, sources: PackageSources) -> str:
    return _digest(
        _LAYOUT,
        _uv_version(),
        *question.requirements,
        "constraints",
        *question.constraints,
        "options",
        *question.options,
        # uv's rule for a Python that is not here is another: at least this version.
        _place(python),
        python.version,
        _platform(),
        sources.digest,
    )


def _place(python: Python) -> str:
    if isinstance(python, Absent):
        return "absent"
    return "here" if python.root is None else f"beside the C library {python.libc}"


@cache
def _uv_version() -> str:
    return version_of("uv")


@cache
def _platform() -> str:
    return "-".join((platform.machine(), platform.system(), *platform.libc_ver()))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
