"""What pip is configured with reaches uv, as pip would have had it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.provision.pipconfig import (
    config_files,
    package_sources,
    pip_settings,
    redact,
)


def conf(folder: Path, text: str, name: str = "pip.conf") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_indexes_and_certificate_are_put_in_uvs_words(tmp_path: Path) -> None:
    file = conf(
        tmp_path,
        "[global]\nindex-url = https://mirror.test/simple\n"
        "extra-index-url = file:///one/simple\n    file:///two/simple\n"
        "cert = /etc/ca.pem\ntrusted-host = mirror.test\ntimeout = 90\n",
    )
    env = package_sources({}, files=(file,)).env
    assert env["UV_DEFAULT_INDEX"] == "https://mirror.test/simple"
    assert env["UV_INDEX"] == "file:///one/simple file:///two/simple"
    assert env["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert env["SSL_CERT_FILE"] == "/etc/ca.pem"
    assert env["UV_INSECURE_HOST"] == "mirror.test"
    assert env["UV_HTTP_TIMEOUT"] == "90"


def test_a_later_file_and_then_a_variable_win(tmp_path: Path) -> None:
    one = conf(tmp_path, "[global]\nindex-url = https://one.test\ncert = /one.pem\n", "one")
    two = conf(tmp_path, "[global]\nindex-url = https://two.test\n", "two")
    settings = pip_settings({}, (one, two))
    assert settings == {"index-url": "https://two.test", "cert": "/one.pem"}
    settings = pip_settings({"PIP_INDEX_URL": "https://three.test"}, (one, two))
    assert settings["index-url"] == "https://three.test"


def test_the_section_install_wins_over_global(tmp_path: Path) -> None:
    file = conf(tmp_path, "[install]\nindex-url = https://b.test\n[global]\nindex-url = https://a")
    assert pip_settings({}, (file,))["index-url"] == "https://b.test"


def test_a_file_that_cannot_be_parsed_counts_as_absent(tmp_path: Path) -> None:
    file = conf(tmp_path, "no section\n")
    assert pip_settings({}, (file, tmp_path / "absent")) == {}


def test_a_missing_folder_of_wheels_is_left_out_and_told(tmp_path: Path) -> None:
    file = conf(tmp_path, f"[global]\nfind-links = {tmp_path} /no/such/folder\n")
    sources = package_sources({}, files=(file,))
    assert sources.env["UV_FIND_LINKS"] == str(tmp_path)
    assert sources.notes == (
        "pip's setting find-links names /no/such/folder, which is no folder here: ignored",
    )


def test_a_folder_with_a_comma_goes_on_the_command_line(tmp_path: Path) -> None:
    folder = tmp_path / "a,b"
    folder.mkdir()
    sources = package_sources({"PIP_FIND_LINKS": str(folder)}, files=())
    assert sources.options == ("--find-links", str(folder))
    assert "UV_FIND_LINKS" not in sources.env


def test_no_index_is_an_option() -> None:
    assert package_sources({"PIP_NO_INDEX": "1"}, files=()).options == ("--no-index",)
    assert package_sources({"PIP_NO_INDEX": "0"}, files=()).options == ()


def test_the_callers_own_uv_variables_win() -> None:
    given = {
        "PIP_INDEX_URL": "https://pip.test",
        "PIP_EXTRA_INDEX_URL": "https://pip.test/more",
        "UV_INDEX_URL": "https://uv.test",
        "UV_EXTRA_INDEX_URL": "https://uv.test/more",
        "UV_INDEX_STRATEGY": "first-index",
    }
    env = package_sources(given, files=()).env
    assert "UV_DEFAULT_INDEX" not in env
    assert "UV_INDEX" not in env
    assert env["UV_INDEX_STRATEGY"] == "first-index"


@pytest.mark.parametrize(
    "name", ["PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "PYTHONPATH"]
)
def test_what_ties_to_the_callers_python_does_not_leak(name: str) -> None:
    assert name not in package_sources({name: "x", "HOME": "/h"}, files=()).env


@pytest.mark.parametrize(
    "name", ["GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "PIP_INDEX_URL", "R_HOME"]
)
def test_a_package_that_is_built_sees_no_secret_of_the_callers(name: str) -> None:
    given = {name: "https://me:secret@one.test", "HOME": "/h", "CC": "gcc", "LC_ALL": "C"}
    env = package_sources(given, files=()).env
    assert name not in env
    assert (env["HOME"], env["CC"], env["LC_ALL"]) == ("/h", "gcc", "C")


def test_the_digest_changes_with_what_the_answer_depends_on(tmp_path: Path) -> None:
    def digest(environ: dict[str, str]) -> str:
        return package_sources({"HOME": str(tmp_path), **environ}, files=()).digest

    assert digest({}) == digest({"LANG": "C"}) == digest({"UV_LINK_MODE": "copy"})
    assert digest({}) != digest({"PIP_INDEX_URL": "https://one.test"})
    assert digest({"PIP_INDEX_URL": "https://a"}) != digest({"PIP_EXTRA_INDEX_URL": "https://a"})


def test_the_digest_changes_with_a_new_wheel(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    environ = {"HOME": str(tmp_path), "PIP_FIND_LINKS": str(wheels)}
    os.utime(wheels, (1, 1))
    before = package_sources(environ, files=()).digest
    (wheels / "new.whl").write_text("x")
    assert package_sources(environ, files=()).digest != before


def test_files_come_in_pips_order(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/named.conf"}
    files = [str(path) for path in config_files(environ)]
    order = [
        "/etc/xdg/pip/pip.conf",
        "/etc/pip.conf",
        f"{tmp_path}/.pip/pip.conf",
        f"{tmp_path}/.config/pip/pip.conf",
        "/named.conf",
    ]
    places = [files.index(name) for name in order]
    assert places == sorted(places)
    assert files[-1] == "/named.conf"


def test_the_null_device_switches_the_files_off() -> None:
    assert config_files({"PIP_CONFIG_FILE": os.devnull}) == ()


def test_credentials_are_blotted_out() -> None:
    text = "Failed to fetch: `https://me:secret@mirror.test/simple/numpy/`"
    assert redact(text) == "Failed to fetch: `https://***@mirror.test/simple/numpy/`"
    assert redact("https://mirror.test/a@b") == "https://mirror.test/a@b"
