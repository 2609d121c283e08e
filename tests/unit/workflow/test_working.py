"""What a process that measures for others keeps of each run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.workflow import working


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.setattr(working, "_BENCHES", {})


def use(run: str, tmp_path: Path) -> working.Bench:
    """Have a cell of a run use a thing of the store."""
    with working._bench(run, None) as bench:
        bench._store.ensure("thing", "key", lambda folder: None)
    return bench


def sessions(tmp_path: Path) -> int:
    return len(list((tmp_path / "sessions").iterdir()))


def test_cells_of_a_run_share_what_was_made(tmp_path: Path) -> None:
    assert use("one", tmp_path) is use("one", tmp_path)
    assert use("one", tmp_path) is not use("two", tmp_path)
    assert sessions(tmp_path) == 2


def test_a_run_that_has_ended_uses_nothing_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("one", tmp_path)
    monkeypatch.setattr(working, "_IDLE_S", 0.0)
    use("two", tmp_path)
    assert sessions(tmp_path) == 1


def test_a_few_runs_are_kept_and_none_that_has_a_cell_is_let_go(tmp_path: Path) -> None:
    with working._bench("busy", None) as busy:
        for number in range(10):
            use(str(number), tmp_path)
        assert len(working._BENCHES) == working._KEPT
        assert sessions(tmp_path) == working._KEPT - 1
        with working._bench("busy", None) as again:
            assert again is busy
