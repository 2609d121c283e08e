"""For how long uv may rely on a page of a package index that it has.

PyPI says ten minutes, and uv obeys.  Mirrors and proxies often say nothing: then uv asks for
every page again at every question, which makes a question twenty times as long.  Questions that
are asked together get PyPI's ten minutes from every index, by uv's own setting for that.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.model.environment import PackageSources

PAGE_AGE_S: Final = 600
"""Of the list of a package's versions, as PyPI has it."""
METADATA_AGE_S: Final = 86_400
"""Of the metadata of one file, which nobody changes: PyPI says years."""

SETTINGS: Final = "uv.toml"
"""In the working folder, where uv reads it beside the settings of the user and the machine."""
_PYPI: Final = "https://pypi.org/simple"
_ENTRY: Final = re.compile(r"(?:(?P<name>[\w.-]+)=)?(?P<url>\S+)")
_OFF: Final = ("", "0", "false", "no", "off", "n", "f")


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """The same indexes as before, ``settings`` in the words of ``uv.toml``.

    ``env`` is the environment for uv without what has moved there.
    """

    settings: str
    env: dict[str, str]


def places(sources: PackageSources) -> Places:
    """Say how long pages may be relied on, for every index that is reached by HTTP.

    Where uv's own files may name indexes, or where indexes are switched off, all stays as it is.
    """
    env = dict(sources.env)
    if indexes_are_off(sources) or env.get("UV_CONFIG_FILE") or is_on(env.get("UV_NO_CONFIG")):
        return Places(settings="", env=env)
    entries: list[str] = []
    several = env.get("UV_INDEX", "").split()
    if any(_is_remote(word) for word in several):
        # All of them, or those that stay behind would change places with the others.
        entries += [text for word in several for text in _entry(word)]
        del env["UV_INDEX"]
    default = next((env[name] for name in _DEFAULTS if env.get(name)), None)
    if default is None and not any(file.is_file() for file in _uv_files(env)):
        default = _PYPI
    if default is not None and _is_remote(default):
        entries += _entry(default, "default = true")
        for name in _DEFAULTS:
            env.pop(name, None)
    return Places(settings="\n".join(entries), env=env)


_DEFAULTS: Final = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")


def indexes_are_off(sources: PackageSources) -> bool:
    """Tell whether folders alone are looked into."""
    return "--no-index" in sources.options or is_on(sources.env.get("UV_NO_INDEX"))


def network_is_off(sources: PackageSources) -> bool:
    """Tell whether uv is to ask no index, and make do with what it has."""
    return is_on(sources.env.get("UV_OFFLINE")) and not indexes_are_off(sources)


def is_on(value: str | None) -> bool:
    """Tell whether an environment variable of uv's switches something on."""
    return (value or "").strip().lower() not in _OFF


def _entry(word: str, *more: str) -> Iterator[str]:
    found = _ENTRY.fullmatch(word.strip())
    if found is None:
        return
    yield "[[index]]"
    if found["name"]:
        yield f"name = {_quoted(found['name'])}"
    yield f"url = {_quoted(found['url'])}"
    yield from more
    if _is_remote(word):
        ages = f'api = "max-age={PAGE_AGE_S}", files = "max-age={METADATA_AGE_S}"'
        yield f"cache-control = {{ {ages} }}"


def _is_remote(word: str) -> bool:
    return re.match(r"(?:[\w.-]+=)?https?://", word.strip(), re.IGNORECASE) is not None


def _quoted(text: str) -> str:
    # TOML takes JSON's strings.
    return msgspec.json.encode(text).decode()


def _uv_files(env: dict[str, str]) -> tuple[Path, ...]:
    """uv's own settings of the machine and of the user."""
    home = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or Path.home()) / ".config")
    system = [Path(part) for part in (env.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if part]
    return (*(part / "uv" / "uv.toml" for part in system), Path("/etc/uv/uv.toml"),
            home / "uv" / "uv.toml")  # fmt: skip
