from __future__ import annotations

from harness.execute.environment import FIXED, base_environment


def test_nothing_of_the_caller_s_beyond_the_list() -> None:
    caller = {
        "GITHUB_TOKEN": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "HOME": "/home/x",
        "PATH": "/x",
        "LD_LIBRARY_PATH": "/x",
        "R_LIBS": "/x",
        "PYTHONPATH": "/x",
        "https_proxy": "http://user:secret@proxy",
        "LCX": "no",
    }
    assert base_environment(caller) == {"LANG": "C.UTF-8", **FIXED}


def test_language_zone_and_device_are_passed_on() -> None:
    caller = {"LANG": "de_DE.UTF-8", "LC_ALL": "C", "TZ": "UTC", "CUDA_VISIBLE_DEVICES": "1"}
    assert base_environment(caller) == {**caller, **FIXED}


def test_the_caller_cannot_change_what_is_fixed() -> None:
    assert base_environment({"OMP_NUM_THREADS": "8", "TERM": "xterm"})["OMP_NUM_THREADS"] == "1"
    assert base_environment({"TERM": "xterm"})["TERM"] == "dumb"
