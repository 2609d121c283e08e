"""Where packages come from, taken from the settings without letting credentials out."""

from __future__ import annotations

import base64
from pathlib import Path

from harness.model.environment import PackageSources
from harness.registry.places import DEFAULT_INDEX, places
from tests.unit.registry.conftest import NOTHING_ELSE


def sources(*options: str, **env: str) -> PackageSources:
    return PackageSources(
        options=options, env={"NETRC": "/dev/null", "UV_CONFIG_FILE": "/dev/null", **env}
    )


def decoded(header: str | None) -> str:
    assert header is not None
    return base64.b64decode(header.removeprefix("Basic ")).decode()


def test_nothing_is_configured() -> None:
    assert [place.address for place in places(sources())] == [DEFAULT_INDEX]


def test_all_places_count_each_once(tmp_path: Path) -> None:
    found = places(
        sources(
            "--find-links",
            str(tmp_path / "a,b"),
            UV_DEFAULT_INDEX="https://one.test/simple/",
            UV_INDEX="https://two.test/simple two=https://three.test/simple https://two.test/simple",
            UV_FIND_LINKS=str(tmp_path),
        )
    )
    assert [(place.address, place.is_index) for place in found] == [
        ("https://two.test/simple", True),
        ("https://three.test/simple", True),
        ("https://one.test/simple", True),
        (tmp_path.as_uri(), False),
        ((tmp_path / "a,b").as_uri(), False),
    ]


def test_without_an_index() -> None:
    assert places(sources("--no-index", UV_DEFAULT_INDEX="https://one.test/simple")) == ()


UV_TOML = """
[[index]]
name = "own"
url = "https://own.test/simple"

[[index]]
url = "https://mirror.test/simple"
default = true

[pip]
find-links = ["/wheels"]
"""


def test_uvs_own_file_counts_and_a_variable_wins(tmp_path: Path) -> None:
    file = tmp_path / "uv.toml"
    file.write_text(UV_TOML)

    def addresses(**env: str) -> list[str]:
        found = places(sources(UV_CONFIG_FILE=str(file), **env))
        return [place.address for place in found]

    assert addresses() == [
        "https://own.test/simple",
        "https://mirror.test/simple",
        "file:///wheels",
    ]
    assert addresses(UV_DEFAULT_INDEX="https://one.test/simple")[1] == "https://one.test/simple"
    file.write_text("index = [")
    assert addresses() == [DEFAULT_INDEX]


def test_credentials_are_kept_out_of_address_and_words() -> None:
    (place,) = places(sources(UV_DEFAULT_INDEX="https://me:p%40ss@one.test/simple"))
    assert place.address == "https://one.test/simple"
    assert decoded(place.authorization) == "me:p@ss"
    assert "Basic" not in repr(place)
    assert "one.test" not in repr(place)


def test_credentials_of_a_named_index() -> None:
    env = {"UV_INDEX_MY_OWN_USERNAME": "me", "UV_INDEX_MY_OWN_PASSWORD": "secret"}
    place = places(sources(UV_INDEX="my-own=https://two.test/simple", **env))[0]
    assert decoded(place.authorization) == "me:secret"


def test_credentials_of_netrc(tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine one.test login me password secret\n")
    file.chmod(0o600)
    env = {**NOTHING_ELSE, "UV_DEFAULT_INDEX": "https://one.test/simple", "NETRC": str(file)}
    assert decoded(places(PackageSources(env=env))[0].authorization) == "me:secret"
