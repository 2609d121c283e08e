"""Where packages come from, one place at a time: indexes and folders of ``PackageSources``.

``PackageSources`` says it in uv's words, so that what is asked here is what uv asks.
"""

from __future__ import annotations

import base64
import netrc
import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from harness.model.environment import PackageSources

DEFAULT_INDEX: Final = "https://pypi.org/simple"
"""uv's and pip's own, where nothing else is configured."""
_NAMED: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)=(?P<address>[a-z+]+://.*|/.*)")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One place that has packages.

    ``address`` has no credentials in it; ``authorization`` is the header that carries them.
    ``is_index`` tells an index, with a page for each project, from a single page or folder of
    files.
    """

    address: str
    is_index: bool = True
    authorization: str | None = None

    def __repr__(self) -> str:
        return f"Place(is_index={self.is_index})"


def places(sources: PackageSources) -> tuple[Place, ...]:
    """Return every index and folder of the configuration, each once."""
    env, found = sources.env, dict[str, Place]()
    for place in _all(sources.options, env):
        found.setdefault(place.address, place)
    return tuple(found.values())


def _all(options: tuple[str, ...], env: Mapping[str, str]) -> Iterator[Place]:
    settings = _uv_settings(env)
    if "--no-index" not in options and settings.get("no-index") is not True:
        for word in _indexes(settings, env):
            yield _place(word, env, is_index=True)
    links = [*env.get("UV_FIND_LINKS", "").split(","), *_texts(settings.get("find-links"))]
    for link in links:
        if link:
            yield _place(link, env, is_index=False)
    for option, value in pairwise(options):
        if option == "--find-links":
            yield _place(value, env, is_index=False)


def _indexes(settings: Mapping[str, Any], env: Mapping[str, str]) -> Iterator[str]:
    """Yield the indexes, the default one last; a variable wins over uv's own files."""
    for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL"):
        yield from env.get(name, "").split()
    yield from _texts(settings.get("extra-index-url"))
    default: str | None = env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL")
    for index in settings.get("index") or ():
        if isinstance(index, dict) and isinstance(index.get("url"), str):
            url: str = index["url"]
            word = f"{index['name']}={url}" if index.get("name") and "://" in url else url
            if not index.get("default"):
                yield word
            elif default is None:
                default = word
    yield default or next(_texts(settings.get("index-url")), DEFAULT_INDEX)


def _uv_settings(env: Mapping[str, str]) -> dict[str, Any]:
    """Return what uv's own configuration of the machine and of the user says of places.

    A file that cannot be read counts as absent: uv itself says what is wrong with it.
    """
    home = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or Path.home()) / ".config")
    named = env.get("UV_CONFIG_FILE")
    files = [Path(named)] if named else [Path("/etc/uv/uv.toml"), home / "uv" / "uv.toml"]
    found: dict[str, Any] = {}
    for file in files:
        try:
            settings = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            continue
        pip = settings.pop("pip", None)
        found.update(settings)
        found.update(pip if isinstance(pip, dict) else {})
    return found


def _texts(value: object) -> Iterator[str]:
    values = value if isinstance(value, list) else [value]
    yield from (text for text in values if isinstance(text, str) and text)


def _place(word: str, env: Mapping[str, str], *, is_index: bool) -> Place:
    name = None
    if found := _NAMED.fullmatch(word):
        name, word = found["name"], found["address"]
    if "://" not in word:
        word = Path(word).expanduser().absolute().as_uri()
    parts = urlsplit(word)
    host = parts.netloc.rpartition("@")[2]
    address = urlunsplit(parts._replace(netloc=host, fragment="")).rstrip("/")
    return Place(
        address=address,
        is_index=is_index,
        authorization=_authorization(parts.username, parts.password, name, parts.hostname, env),
    )


def _authorization(
    user: str | None,
    password: str | None,
    name: str | None,
    host: str | None,
    env: Mapping[str, str],
) -> str | None:
    """Return the header with the credentials of an index, from where uv takes them."""
    user, password = unquote(user or ""), unquote(password or "")
    if not user and name is not None:
        word = re.sub(r"[^A-Z0-9]", "_", name.upper())
        user = env.get(f"UV_INDEX_{word}_USERNAME", "")
        password = env.get(f"UV_INDEX_{word}_PASSWORD", "")
    if not user and not password and host is not None:
        user, password = _of_netrc(host, env)
    if not user and not password:
        return None
    both = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Basic {both}"


def _of_netrc(host: str, env: Mapping[str, str]) -> tuple[str, str]:
    file = Path(env.get("NETRC") or Path(env.get("HOME") or Path.home()) / ".netrc")
    try:
        known = netrc.netrc(str(file)).authenticators(host)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return "", ""
    return ("", "") if known is None else (known[0] or "", known[2] or "")
