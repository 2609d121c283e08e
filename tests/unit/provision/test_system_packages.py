"""Missing programs of the system end in the exact command that brings them."""

from __future__ import annotations

import pytest

from harness.errors import MachineFault
from harness.provision.r.system_packages import Need, require

ABSENT = Need("no-such-program", "no-such-package")


def test_what_is_there_needs_nothing() -> None:
    said: list[str] = []
    require(Need("sh", "dash"), Need("/dev/null", "base"), notify=said.append)
    assert said == []


def test_an_ordinary_user_is_told_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/apt-get" if "apt" in name else None)
    with pytest.raises(MachineFault, match=r"run `sudo apt-get install .* no-such-package`"):
        require(ABSENT, notify=print)


def test_another_system_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(MachineFault, match="install no-such-package with the system's package"):
        require(ABSENT, notify=print)
