"""How long uv may rely on a page: said of every index that is reached by HTTP, in uv's words."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.model.environment import PackageSources
from harness.resolve.places import network_is_off, places

AGES = {"api": "max-age=600", "files": "max-age=86400"}


def said(tmp_path: Path, **env: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    given = places(PackageSources(env={"XDG_CONFIG_HOME": str(tmp_path), **env}))
    return tomllib.loads(given.settings).get("index", []), given.env


def test_pypi_where_nothing_is_configured(tmp_path: Path) -> None:
    indexes, _ = said(tmp_path)
    assert indexes == [{"url": "https://pypi.org/simple", "default": True, "cache-control": AGES}]


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_a_configured_index_moves_to_the_settings(tmp_path: Path, name: str) -> None:
    indexes, env = said(tmp_path, **{name: "https://me:se%22cret@mirror.test/simple"})
    assert indexes == [
        {
            "url": "https://me:se%22cret@mirror.test/simple",
            "default": True,
            "cache-control": AGES,
        }
    ]
    assert name not in env


def test_further_indexes_keep_their_order_and_their_names(tmp_path: Path) -> None:
    indexes, env = said(tmp_path, UV_INDEX="file:///wheels own=https://mirror.test/simple")
    assert [index["url"] for index in indexes] == [
        "file:///wheels",
        "https://mirror.test/simple",
        "https://pypi.org/simple",
    ]
    assert indexes[0] == {"url": "file:///wheels"}
    assert indexes[1]["name"] == "own"
    assert "UV_INDEX" not in env


def test_folders_alone_stay_where_they_are(tmp_path: Path) -> None:
    indexes, env = said(tmp_path, UV_INDEX="file:///wheels", UV_DEFAULT_INDEX="file:///pypi")
    assert indexes == []
    assert env["UV_INDEX"] == "file:///wheels"
    assert env["UV_DEFAULT_INDEX"] == "file:///pypi"


def test_the_users_own_settings_are_not_gone_past(tmp_path: Path) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text('index-url = "https://mirror.test/simple"')
    assert said(tmp_path)[0] == []


@pytest.mark.parametrize("name", ["UV_CONFIG_FILE", "UV_NO_CONFIG", "UV_NO_INDEX"])
def test_what_uv_is_told_otherwise_stays(tmp_path: Path, name: str) -> None:
    indexes, env = said(tmp_path, **{name: "1", "UV_DEFAULT_INDEX": "https://mirror.test/simple"})
    assert indexes == []
    assert env["UV_DEFAULT_INDEX"] == "https://mirror.test/simple"


@pytest.mark.parametrize(
    ("env", "off"),
    [
        ({}, False),
        ({"UV_OFFLINE": "1"}, True),
        ({"UV_OFFLINE": "false"}, False),
        ({"UV_OFFLINE": "1", "UV_NO_INDEX": "1"}, False),
    ],
)
def test_when_the_network_is_off(env: dict[str, str], off: bool) -> None:
    assert network_is_off(PackageSources(env=env)) is off
    assert not network_is_off(PackageSources(env=env, options=("--no-index",)))
