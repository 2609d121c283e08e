"""Each question is asked once, and what is kept of the answers serves as long as it may."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from harness.errors import Unavailable
from harness.model.environment import Interpreter, PackageSources
from harness.provision.store import FolderStore
from harness.resolve import Absent, NoSolution, Resolver, Unreached, asking
from harness.resolve.kept import MAX_AGE_S
from harness.resolve.uv import Manner, Question

from .conftest import wheel

NOON = 1_800_000_000.0
DAY = "2027-01-15"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def another(tmp_path: Path, sources: PackageSources, clock: Clock) -> Callable[[], Resolver]:
    """Return a resolver of another run, with the same store."""
    return lambda: Resolver(FolderStore(tmp_path / "store"), sources, clock=clock)


@pytest.fixture
def out_of_reach(monkeypatch: pytest.MonkeyPatch) -> list[Manner]:
    """Let every question fail for want of a network; return how each was asked."""
    manners: list[Manner] = []

    def unreached(
        question: Question, python: object, sources: object, manner: Manner | None = None
    ) -> str:
        manners.append(manner or Manner())
        raise Unreached("nothing is known")

    monkeypatch.setattr(asking, "compile_lock", unreached)
    return manners


def test_an_answer_of_exact_versions_is_kept_for_good(
    another: Callable[[], Resolver], interpreter: Interpreter, wheels: Path, clock: Clock
) -> None:
    first = another().lock(["keras==3.10.0", "numpy"], interpreter)
    shutil.rmtree(wheels)
    clock.now += 400 * MAX_AGE_S
    resolver = another()
    assert resolver.lock(["keras==3.10.0", "numpy"], interpreter) == first
    assert resolver.asked == 0


def test_what_a_release_can_change_is_asked_again_after_a_day(
    another: Callable[[], Resolver], interpreter: Interpreter, wheels: Path, clock: Clock
) -> None:
    assert another().lock(["keras"], interpreter).versions["keras"] == "3.10.0"
    wheel(wheels, "keras", "3.11.0", ["numpy"])
    clock.now += MAX_AGE_S - 1
    assert another().lock(["keras"], interpreter).versions["keras"] == "3.10.0"
    clock.now += 2
    assert another().lock(["keras"], interpreter).versions["keras"] == "3.11.0"
    resolver = another()
    assert resolver.lock(["keras"], interpreter).versions["keras"] == "3.11.0"
    assert resolver.asked == 0


def test_that_nothing_exists_is_kept_for_a_day(
    another: Callable[[], Resolver], interpreter: Interpreter, wheels: Path, clock: Clock
) -> None:
    with pytest.raises(NoSolution) as first:
        another().lock(["numpy==9.0.0"], interpreter)
    wheel(wheels, "numpy", "9.0.0")
    resolver = another()
    with pytest.raises(NoSolution) as second:
        resolver.lock(["numpy==9.0.0"], interpreter)
    assert (str(second.value), second.value.detail) == (str(first.value), first.value.detail)
    assert resolver.asked == 0
    clock.now += MAX_AGE_S + 1
    assert another().lock(["numpy==9.0.0"], interpreter).versions == {"numpy": "9.0.0"}


def test_without_a_network_an_old_answer_serves_and_says_its_date(
    another: Callable[[], Resolver], interpreter: Interpreter, clock: Clock, request: object
) -> None:
    fresh = another().lock(["keras"], interpreter)
    with pytest.raises(NoSolution):
        another().lock(["numpy==9.0.0"], interpreter)
    clock.now += 30 * MAX_AGE_S
    request.getfixturevalue("out_of_reach")  # type: ignore[attr-defined]
    old = another().lock(["keras"], interpreter)
    assert old.text == fresh.text
    assert old.digest == fresh.digest
    assert old.note == f"as of {DAY}: no package index is within reach now"
    with pytest.raises(NoSolution, match=f"there is no numpy 9.0.0 .*as of {DAY}"):
        another().lock(["numpy==9.0.0"], interpreter)


def test_that_no_index_was_reached_is_never_kept(
    another: Callable[[], Resolver], interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch,
    out_of_reach: list[Manner],
) -> None:  # fmt: skip
    with pytest.raises(Unreached):
        another().lock(["keras"], interpreter)
    monkeypatch.undo()
    assert another().lock(["keras"], interpreter).versions["keras"] == "3.10.0"


def test_after_some_failures_no_question_waits_for_a_network(
    another: Callable[[], Resolver], interpreter: Interpreter, out_of_reach: list[Manner]
) -> None:
    resolver = another()
    for number in range(6):
        with pytest.raises(Unreached):
            resolver.lock([f"keras=={number}"], interpreter)
    assert [manner.retries for manner in out_of_reach] == [None, 0, 0, 0, 0, 0]
    assert [manner.offline for manner in out_of_reach] == [False] * 3 + [True] * 3


def test_from_what_uv_has_kept_an_answer_serves_and_is_not_kept(
    another: Callable[[], Resolver], interpreter: Interpreter, sources: PackageSources,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(asking, "network_is_off", lambda sources: True)
    found = another().lock(["keras"], interpreter)
    assert found.versions["keras"] == "3.10.0"
    assert found.note == "from what uv has kept: no package index is within reach"
    assert FolderStore(tmp_path / "store").entries() == ()


def test_identical_questions_are_asked_once_however_many_ask(
    another: Callable[[], Resolver], interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(8, timeout=30)
    resolver = another()

    def ask(number: int) -> str:
        together.wait()
        return resolver.lock(["keras", "numpy"], interpreter).text

    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(ask, range(8)))
    assert len(set(texts)) == 1
    assert resolver.asked == 1


def test_a_failure_reaches_everyone_who_asked(
    another: Callable[[], Resolver], interpreter: Interpreter
) -> None:
    resolver = another()

    def ask(number: int) -> str:
        with pytest.raises(NoSolution) as caught:
            resolver.lock(["numpy==9.0.0"], interpreter)
        return str(caught.value)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert resolver.asked == 1


def test_the_fewest_requirements_in_conflict_are_named(
    another: Callable[[], Resolver], interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = asking.compile_lock

    def talkative(
        question: Question, python: Interpreter, sources: PackageSources, manner: Manner
    ) -> str:
        try:
            return real(question, python, sources, manner)
        except NoSolution as error:
            # As if uv's account had come by all of the requirements.
            raise NoSolution(
                str(error), detail=error.detail, asked=question.requirements
            ) from error

    monkeypatch.setattr(asking, "compile_lock", talkative)
    resolver = another()
    with pytest.raises(NoSolution) as caught:
        resolver.lock(["keras==3.10.0", "tensorflow-cpu==2.15.0", "torch==2.13.0"], interpreter)
    assert set(caught.value.asked) == {"keras==3.10.0", "tensorflow-cpu==2.15.0"}
    assert str(caught.value).endswith(
        "tensorflow-cpu 2.15.0 needs keras < 2.16, while keras 3.10.0 is asked for"
    )


def test_a_python_that_is_not_here_is_answered_by_its_version(
    another: Callable[[], Resolver], interpreter: Interpreter
) -> None:
    resolver = another()
    requirement = ["tensorflow-cpu==2.11.0"]
    found = resolver.lock(requirement, Absent(version="3.10.4"))
    assert found.versions == {"tensorflow-cpu": "2.11.0"}
    with pytest.raises(NoSolution, match=r"no wheels for Python 3.12.4 \(only for 3.10\)"):
        resolver.lock(requirement, Absent(version="3.12.4"))


def test_answers_for_another_patch_or_another_manner_are_not_mixed_up(
    another: Callable[[], Resolver], interpreter: Interpreter
) -> None:
    resolver = another()
    here = resolver.lock(["keras"], interpreter)
    away = resolver.lock(["keras"], Absent(version=interpreter.version))
    other = resolver.lock(["keras"], Absent(version="3.11.2"))
    assert resolver.asked == 3
    assert len({here.digest, away.digest, other.digest}) == 3
    rooted = msgspec.structs.replace(interpreter, root=Path("/elsewhere"), libc="2.36")
    resolver.lock(["keras"], rooted)
    assert resolver.asked == 4


def test_a_damaged_answer_is_asked_for_again(
    another: Callable[[], Resolver], interpreter: Interpreter, tmp_path: Path
) -> None:
    another().lock(["keras"], interpreter)
    (file,) = (tmp_path / "store").glob("lock/*/answer.json")
    file.write_bytes(b"{")
    assert another().lock(["keras"], interpreter).versions["keras"] == "3.10.0"
    assert file.read_bytes() != b"{"


def test_what_uv_cannot_do_is_no_statement_on_packages(
    another: Callable[[], Resolver], interpreter: Interpreter
) -> None:
    with pytest.raises(Unavailable, match="uv could not resolve"):
        another().lock(["this is no requirement"], interpreter)
