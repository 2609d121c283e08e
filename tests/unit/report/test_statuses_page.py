"""The page that explains the words of the report knows all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model.status import Phase, Status
from harness.report.view import Blame

PAGE = Path(__file__).parents[3].joinpath("docs/reference/statuses.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("status", Status)
def test_every_status_is_explained(status):
    assert f"| {status.symbol} | `{status.value}` | " in PAGE


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_is_explained(phase):
    assert f"| `{phase.value}` | " in PAGE


@pytest.mark.parametrize("blame", [blame for blame in Blame if blame.value])
def test_what_the_control_tells_is_explained(blame):
    head = blame.value.replace(", the same work in Python without R,", "")
    quotes = [line.split("|")[1].strip() for line in PAGE.splitlines() if line.startswith("|")]
    assert any(quote and head.startswith(quote) for quote in quotes)
