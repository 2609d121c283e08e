from __future__ import annotations

from typing import Any

import pytest

from harness.execute.classify import classify, crash_hint
from harness.model.job import End, Outcome
from harness.model.status import Phase, Status


def ended(end: End = End.EXITED, **fields: Any) -> Outcome:
    defaults: dict[str, Any] = {
        "exit_code": 0 if end is End.EXITED else None,
        "signal": None,
        "phase": None,
        "wall_s": 1.0,
        "max_rss_mb": 1.0,
    }
    return Outcome(end=end, **(defaults | fields))


def phase(name: str) -> dict[str, Any]:
    return {"event": "phase", "phase": name}


def probe(name: str, status: str = "pass", message: str | None = None) -> dict[str, Any]:
    return {"event": "probe", "name": name, "status": status, "message": message}


DONE = [phase("teardown"), {"event": "done"}]
PASSED = [phase("op"), probe("init"), phase("train"), probe("train"), *DONE]


def test_pass() -> None:
    assert classify(ended(), PASSED) == (Status.PASS, None, None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("fail", Status.FAIL),
        ("unavailable", Status.UNAVAILABLE),
    ],
)
def test_what_a_probe_says(status: str, expected: Status) -> None:
    events = [phase("op"), probe("init"), phase("train"), probe("train", status, "no"), *DONE]
    assert classify(ended(), events) == (expected, Phase.TRAIN, "train: no")


def test_a_path_that_cannot_do_one_probe_passes_in_the_others() -> None:
    events = [phase("op"), probe("init"), probe("callback", "unsupported", "no"), *DONE]
    assert classify(ended(), events) == (Status.PASS, None, None)
    alone = [phase("op"), probe("callback", "unsupported", "no"), *DONE]
    assert classify(ended(), alone) == (Status.UNSUPPORTED, Phase.OP, "callback: no")


def test_worst_probe_counts() -> None:
    events = [probe("a", "unsupported", "x"), phase("op"), probe("b", "fail", "y"), *DONE]
    assert classify(ended(), events) == (Status.FAIL, Phase.OP, "b: y")


def test_error_tells_the_phase_and_the_message() -> None:
    error = {"event": "error", "phase": "import", "class": "ImportError", "message": "no imp"}
    events = [phase("import"), error, phase("op"), probe("init", "fail"), *DONE]
    verdict = classify(ended(), events)
    assert verdict == (Status.FAIL, Phase.IMPORT, "init: ImportError: no imp")


def test_error_belongs_to_one_probe() -> None:
    error = {"event": "error", "phase": "import", "class": "E", "message": "m"}
    events = [error, probe("a", "fail", "x"), phase("train"), probe("b", "fail"), *DONE]
    assert classify(ended(), events) == (Status.FAIL, Phase.IMPORT, "a: x")
    only_second = [error, probe("a"), phase("train"), probe("b", "fail"), *DONE]
    assert classify(ended(), only_second) == (Status.FAIL, Phase.TRAIN, "b: no reason given")


def test_unknown_status_is_a_failure() -> None:
    verdict = classify(ended(), [probe("init", "great"), *DONE])
    assert verdict.status is Status.FAIL
    assert "unknown status 'great'" in (verdict.message or "")


@pytest.mark.parametrize("claimed", ["oom", "skipped", "missing", "timeout"])
def test_a_probe_cannot_say_what_only_the_harness_sees(claimed: str) -> None:
    assert classify(ended(), [probe("init", claimed), *DONE]).status is Status.FAIL


def test_silent_exit() -> None:
    verdict = classify(ended(phase="import"), [phase("import")])
    message = "ended with exit status 0 and no result (silent exit) in phase import"
    assert verdict == (Status.FAIL, Phase.IMPORT, message)


def test_silent_exit_after_a_probe_that_passed_is_no_pass() -> None:
    verdict = classify(ended(phase="op"), [phase("op"), probe("init")])
    assert verdict.status is Status.FAIL
    assert "silent exit" in (verdict.message or "")


def test_done_without_a_probe_is_no_pass() -> None:
    assert classify(ended(phase="teardown"), DONE).status is Status.FAIL


def test_exit_status() -> None:
    verdict = classify(ended(exit_code=3, phase="bridge"), [phase("bridge")])
    assert verdict == (Status.FAIL, Phase.BRIDGE, "exit status 3 in phase bridge")


def test_exit_status_after_an_error_names_the_error() -> None:
    error = {"event": "error", "phase": "python", "class": "simpleError", "message": "no python"}
    verdict = classify(ended(exit_code=1, phase="python"), [phase("python"), error])
    assert verdict.phase is Phase.PYTHON
    assert verdict.message == "simpleError: no python (exit status 1, not at its end)"


def test_exit_status_after_done() -> None:
    verdict = classify(ended(exit_code=1, phase="teardown"), PASSED)
    message = "all probes passed, then exit status 1 while ending"
    assert verdict == (Status.FAIL, Phase.TEARDOWN, message)


def test_signal() -> None:
    outcome = ended(End.SIGNALLED, signal="SIGSEGV", phase="import")
    verdict = classify(outcome, [phase("import")])
    assert verdict == (Status.CRASH, Phase.IMPORT, "SIGSEGV in phase import")


def test_signal_after_done() -> None:
    verdict = classify(ended(End.SIGNALLED, signal="SIGABRT", phase="teardown"), PASSED)
    message = "all probes passed, then SIGABRT while ending"
    assert verdict == (Status.CRASH, Phase.TEARDOWN, message)


def test_signal_after_done_and_a_failure() -> None:
    events = [probe("init"), probe("train", "fail", "x"), *DONE]
    verdict = classify(ended(End.SIGNALLED, signal="SIGABRT", phase="teardown"), events)
    assert verdict.message == "train fail, then SIGABRT while ending"


def test_crash_carries_what_was_said_last() -> None:
    outcome = ended(End.SIGNALLED, signal="SIGABRT", phase="op")
    verdict = classify(outcome, [], "warning\nterminate called after throwing\n\n")
    assert verdict.message == "SIGABRT in phase op: terminate called after throwing"


def test_address_of_a_segfault_in_r() -> None:
    said = (
        "\n *** caught segfault ***\naddress 0x10, cause 'memory not mapped'\n\nTraceback:\n"
        " 1: py_initialize()\nAn irrecoverable exception occurred. R is aborting now ...\n"
    )
    assert crash_hint(said) == "address 0x10, cause 'memory not mapped'"
    assert crash_hint("") == ""


def test_timeout() -> None:
    outcome = ended(End.TIMEOUT, phase="op", message="no end of phase op within 2 s")
    verdict = classify(outcome, [phase("op")])
    assert verdict == (Status.TIMEOUT, Phase.OP, "no end of phase op within 2 s")


def test_timeout_before_the_first_event_is_in_start() -> None:
    assert classify(ended(End.TIMEOUT), []).phase is Phase.START


def test_hang_in_teardown_says_that_all_had_passed() -> None:
    verdict = classify(ended(End.TIMEOUT, phase="teardown"), PASSED)
    assert verdict.phase is Phase.TEARDOWN
    assert (verdict.message or "").startswith("all probes passed, then no end")


def test_oom() -> None:
    verdict = classify(ended(End.OOM, phase="train", message="took 9 MB"), [phase("train")])
    assert verdict == (Status.OOM, Phase.TRAIN, "took 9 MB (phase train)")


KILLED = "the worker ended by signal SIGKILL before its result"


@pytest.mark.parametrize(
    ("kernel", "message", "expected"),
    [
        (True, KILLED, Status.OOM),
        (False, KILLED, Status.CRASH),
        (True, KILLED.replace("SIGKILL", "SIGSEGV"), Status.CRASH),
    ],
)
def test_a_child_that_the_kernel_killed_ran_out_of_memory(kernel, message, expected) -> None:
    events = [probe("init"), phase("train"), probe("train", "crash", message), *DONE]
    verdict = classify(ended(kernel_killed=kernel), events)
    assert (verdict.status, verdict.phase) == (expected, Phase.TRAIN)
    assert ("for want of memory" in (verdict.message or "")) is (expected is Status.OOM)


def test_a_failure_is_none_of_memory_s_whatever_it_says() -> None:
    events = [probe("init", "fail", KILLED), *DONE]
    assert classify(ended(kernel_killed=True), events).status is Status.FAIL


def test_not_started() -> None:
    outcome = ended(End.NOT_STARTED, message="cannot start Rscript: No such file or directory")
    assert classify(outcome, []) == (Status.FAIL, Phase.START, outcome.message)


def test_cancelled_is_missing() -> None:
    assert classify(ended(End.CANCELLED, phase="op"), []).status is Status.MISSING


@pytest.mark.parametrize("end", list(End))
def test_junk_never_raises(end: End) -> None:
    junk: list[dict[str, Any]] = [
        {"event": "probe"},
        {"event": "probe", "name": 3, "status": [], "message": {}},
        {"event": "phase", "phase": None},
        {"event": "phase", "phase": "lunch"},
        {"event": "error", "phase": 1, "class": None, "message": []},
        {"event": "done"},
    ]
    assert classify(ended(end, phase="lunch"), junk).status is not Status.PASS
