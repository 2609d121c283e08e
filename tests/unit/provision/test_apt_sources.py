"""Debian's mirror is the one that apt uses, never a third party's."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import MachineFault
from harness.provision.r.apt_sources import debian_mirror, read_sources

DEB822 = """\
Types: deb
# a comment with http://elsewhere.test/
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def apt(folder: Path, **files: str) -> Path:
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        path = "sources.list" if name == "main" else f"sources.list.d/{name.replace('_', '.')}"
        (folder / path).write_text(text)
    return folder


def test_deb822(tmp_path: Path) -> None:
    folder = apt(tmp_path, debian_sources=DEB822)
    assert debian_mirror({}, folder) == "http://mirror.test/debian"
    assert read_sources(folder)[0].suites == ("bookworm", "bookworm-updates")


def test_one_line(tmp_path: Path) -> None:
    text = "# deb http://off.test/debian sid main\ndeb http://on.test/debian trixie main contrib\n"
    assert debian_mirror({}, apt(tmp_path, main=text)) == "http://on.test/debian"


def test_third_parties_are_passed_over(tmp_path: Path) -> None:
    folder = apt(
        tmp_path,
        a_list="deb https://a.test/linux/debian bookworm stable\n",
        b_list="deb [signed-by=/usr/share/keyrings/b.gpg] https://b.test/debian bookworm main\n",
        c_list="deb https://c.test/apt cloud-sdk-bookworm main\n",
        d_list="deb-src http://d.test/debian bookworm main\n",
    )
    with pytest.raises(MachineFault, match="set HARNESS_DEBIAN_MIRROR"):
        debian_mirror({}, folder)


def test_a_source_held_to_debians_key_comes_first(tmp_path: Path) -> None:
    folder = apt(
        tmp_path,
        main="deb http://unsigned.test/debian bookworm main\n",
        debian_sources=DEB822,
    )
    assert debian_mirror({}, folder) == "http://mirror.test/debian"


def test_a_source_that_is_switched_off_is_none(tmp_path: Path) -> None:
    folder = apt(tmp_path, debian_sources=f"Enabled: no\n{DEB822}")
    with pytest.raises(MachineFault):
        debian_mirror({}, folder)


def test_the_variable_wins(tmp_path: Path) -> None:
    assert debian_mirror({"HARNESS_DEBIAN_MIRROR": "http://named.test/debian"}, tmp_path) == (
        "http://named.test/debian"
    )


def test_a_machine_without_apt_is_told_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match="HARNESS_DEBIAN_MIRROR"):
        debian_mirror({}, tmp_path / "none")
