"""What every message keeps to, whoever writes it."""

from __future__ import annotations

import errno

from harness.errors import FileFault, disk_fault


def test_what_a_file_says_in_lines_is_told_in_one() -> None:
    fault = FileFault("m.yaml", "'>=2.\n\n  7\u2028' is no range\r\n", line=3)
    assert str(fault) == "m.yaml:3: '>=2. 7 ' is no range"


def test_what_a_disk_cannot_do_is_the_machine_s_fault_and_nothing_else_is() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/d/file")
    assert str(disk_fault(full, "/d", ", and go on")) == (
        "/d/file: the disk is full; free some space, and go on"
    )
    broken = OSError(errno.EIO, "Input/output error")
    assert str(disk_fault(broken, "/d", ", and go on")).startswith("/d: this disk does not work")
    assert disk_fault(FileNotFoundError(errno.ENOENT, "No such file"), "/d", "") is None
    assert disk_fault(OSError("no number"), "/d", "") is None
