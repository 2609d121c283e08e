"""Inputs that a long run of the fuzzer found, once and for all."""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType

import pytest

from harness.causes import Evidence, diagnose
from harness.errors import FileFault
from harness.probes.convert.fixtures import load_fixtures


@pytest.mark.parametrize(
    "value",
    ["!!python/object:os.system x", "!!binary aaaaa", "{[z]: 1}", "2024-13-45", "1" * 5000],
)
def test_a_fixture_that_yaml_cannot_make(tmp_path: Path, value: str) -> None:
    (tmp_path / "f.yaml").write_text(f'- {{"name": "x", "from": "r", "value": {value}}}\n')
    with pytest.raises(FileFault, match=r"f\.yaml:(1:)? (is no JSON here|has a value that cannot)"):
        load_fixtures.__wrapped__(tmp_path)


def test_a_version_of_thousands_of_digits(fuzz: ModuleType, tmp_path: Path) -> None:
    before = fuzz._documents()[0]
    text = before.replace(b'"3.12"', b'"3.' + b"1" * 5000 + b'"')
    assert text != before
    for number in range(8 * fuzz._HANDED_ON):
        # One in so many goes through every report.
        fuzz._results("results.json", text + b" " * number, tmp_path)


def test_a_long_line_behind_a_crash_takes_no_time() -> None:
    """What a crash prints behind it was divided into six parts in every way that there is."""
    log = "All 12 checks passed, results written to out.csv\nmunmap_chunk(): invalid pointer\n"
    began = time.process_time()
    diagnose(Evidence(text=f"{log}{'}' * 2000}\n}}x\nTraceback\n"))
    assert time.process_time() - began < 5
