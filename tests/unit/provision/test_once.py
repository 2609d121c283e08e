from __future__ import annotations

import threading

import pytest

from harness.errors import Unavailable
from harness.provision.once import Once


def test_what_is_made_is_made_once_however_many_ask():
    once = Once[int]()
    made: list[int] = []
    gate = threading.Barrier(4)

    def make() -> int:
        made.append(1)
        return 42

    def ask() -> None:
        gate.wait()
        assert once("x", make) == 42

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert once("y", lambda: 43) == 43


def test_why_it_could_not_be_made_is_remembered():
    once = Once[int]()
    asked: list[int] = []

    def make() -> int:
        asked.append(1)
        raise Unavailable("not here")

    for _ in range(2):
        with pytest.raises(Unavailable, match="not here"):
            once("x", make)
    assert asked == [1]
