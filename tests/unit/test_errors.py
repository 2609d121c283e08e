"""What every message keeps to, whoever writes it."""

from __future__ import annotations

from harness.errors import FileFault


def test_what_a_file_says_in_lines_is_told_in_one() -> None:
    fault = FileFault("m.yaml", "'>=2.\n\n  7\u2028' is no range\r\n", line=3)
    assert str(fault) == "m.yaml:3: '>=2. 7 ' is no range"
