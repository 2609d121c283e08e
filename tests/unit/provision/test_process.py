"""Programs are run with a limit, and none is left behind."""

from __future__ import annotations

import threading
import time

import pytest

from harness.provision.process import cancel_all, run


def test_output_and_exit_status_are_kept() -> None:
    ran = run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (ran.code, ran.stdout, ran.stderr, ran.ok) == (3, "out\n", "err\n", False)


def test_output_that_is_not_utf8_is_no_fault() -> None:
    assert run(["printf", "a\\377b"]).stdout == "a\ufffdb"


def test_a_limit_ends_the_whole_tree() -> None:
    started = time.monotonic()
    ran = run(["sh", "-c", "sleep 60 & sleep 60"], limit_s=0.2)
    assert ran.timed_out
    assert not ran.ok
    assert time.monotonic() - started < 5


def test_cancel_ends_what_another_thread_waits_for() -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run(["sleep", "60"]).code))
    thread.start()
    time.sleep(0.3)
    cancel_all()
    thread.join(10)
    assert codes == [-15]


def test_a_full_disk_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="No space left on device"):
        run(["sh", "-c", "cat /etc/passwd > /dev/full"])


def test_the_tail_is_one_line() -> None:
    assert run(["sh", "-c", "printf 'a\\n\\nb\\n' >&2; exit 1"]).tail() == "a; b"
    assert run(["sh", "-c", "exit 7"]).tail() == "exit status 7 without a word"
