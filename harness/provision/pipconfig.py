"""What pip is configured to install from on this machine, put so that uv does the same.

uv reads no configuration of pip's, so a machine whose administrator or user pointed pip at
a mirror, a folder of wheels or a certificate would resolve to something else, or to nothing.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from harness.model.environment import PackageSources

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTIONS: Final = ("global", "install")
"""Sections of pip's files that hold for ``pip install``; the later one wins."""
_TRUE: Final = frozenset({"y", "yes", "t", "true", "on", "1"})

# Variables that tell uv or Python which environment or library they are in.  They are the
# caller's, and would leak into environments that are not: an activated environment would be
# installed into, PYTHONDONTWRITEBYTECODE would leave every import uncompiled, and the
# LD_LIBRARY_PATH that R exports would swap an interpreter's own libpython.
_LEAKS: Final = frozenset(
    {
        "CONDA_PREFIX",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONPYCACHEPREFIX",
        "PYTHONSAFEPATH",
        "PYTHONSTARTUP",
        "PYTHONUSERBASE",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "VIRTUAL_ENV",
        "__PYVENV_LAUNCHER__",
    }
)


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return ``environ`` without what ties a program to the caller's own Python."""
    return {name: value for name, value in environ.items() if name not in _LEAKS}


_PASSED_ON: Final = frozenset(
    {
        *("HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"),
        # What uv reaches an index with, a proxy's password among it.
        *("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
        *("all_proxy", "http_proxy", "https_proxy", "no_proxy"),
        *("CURL_CA_BUNDLE", "NETRC", "REQUESTS_CA_BUNDLE"),
        *("SSL_CERT_DIR", "SSL_CERT_FILE", "SSL_CLIENT_CERT"),
        # What a compiler is told.
        *("AR", "CC", "CFLAGS", "CPATH", "CPPFLAGS", "CXX", "CXXFLAGS", "FC", "LD", "LDFLAGS"),
        *("LIBRARY_PATH", "MAKEFLAGS", "PKG_CONFIG_PATH", "SOURCE_DATE_EPOCH"),
    }
)
_FAMILIES_PASSED_ON: Final = ("LC_", "RUST", "UV_", "XDG_")


def installers_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what of ``environ`` the installer of packages gets: an allow list.

    A package that comes as source runs its own code when it is built or asked what it needs, and
    a matrix may name any package.  So no token, key or socket of the caller's is there.
    """
    return {
        name: value
        for name, value in environ.items()
        if name not in _LEAKS and (name in _PASSED_ON or name.startswith(_FAMILIES_PASSED_ON))
    }


def package_sources(
    environ: Mapping[str, str] | None = None,
    *,
    files: tuple[Path, ...] | None = None,
) -> PackageSources:
    """Read pip's configuration as pip would, and say it in uv's words.

    The caller's own ``UV_*`` variables win over what pip is configured with.  Of the others,
    the installer gets those of ``installers_environment``.

    Parameters
    ----------
    environ
        The environment; that of this process by default.
    files
        pip's configuration files, least binding first; by default where pip looks for them.
    """
    environ = os.environ if environ is None else environ
    settings = pip_settings(environ, config_files(environ) if files is None else files)
    env = installers_environment(environ)
    options: list[str] = []
    links, notes = _find_links(_words(settings.get("find-links")))
    if not env.get("UV_FIND_LINKS"):
        # uv splits its variable at commas, so that a path with one goes on the command line.
        env["UV_FIND_LINKS"] = ",".join(link for link in links if "," not in link)
        for link in links:
            if "," in link:
                options += ["--find-links", link]
    if settings.get("no-index", "").strip().lower() in _TRUE:
        options.append("--no-index")
    for names, value in _in_words_of_uv(settings).items():
        # The first name is the one to set; any of them, set by the caller, wins.
        if value and not any(env.get(name) for name in names):
            env[names[0]] = value
    env = {name: value for name, value in env.items() if value or name in environ}
    return PackageSources(
        options=tuple(options),
        env=env,
        digest=_digest(env, options),
        notes=tuple(notes),
    )


def _in_words_of_uv(settings: Mapping[str, str]) -> dict[tuple[str, ...], str | None]:
    """Values of uv's variables, by their names, for pip's settings."""
    timeout = settings.get("timeout", settings.get("default-timeout", ""))
    proxy = settings.get("proxy")
    return {
        ("UV_DEFAULT_INDEX", "UV_INDEX_URL"): _first(settings.get("index-url")),
        ("UV_INDEX", "UV_EXTRA_INDEX_URL"): " ".join(_words(settings.get("extra-index-url"))),
        # pip takes the best version over all indexes and folders.  uv by default takes the
        # first index that knows a name at all, so that a small mirror with one wheel of a
        # package would hide every other version of it.  pip's rule is `unsafe-best-match`:
        # unsafe, where someone could publish a name of one's private index on a public one;
        # it is no wider than what pip itself does with the same configuration.
        ("UV_INDEX_STRATEGY",): "unsafe-best-match",
        ("UV_INSECURE_HOST",): " ".join(_words(settings.get("trusted-host"))),
        ("UV_HTTP_TIMEOUT",): timeout if timeout.isdigit() else None,
        ("SSL_CERT_FILE",): settings.get("cert"),
        ("SSL_CLIENT_CERT",): settings.get("client-cert"),
        ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"): proxy,
        ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"): proxy,
    }


def config_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """pip's configuration files in pip's documented order, least binding first.

    ``PIP_CONFIG_FILE`` comes last; set to the null device, it switches all files off.
    """
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return ()
    home = Path(environ.get("HOME") or Path.home())
    shared = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    files = [Path(part) / "pip" / "pip.conf" for part in shared.split(os.pathsep) if part]
    files.append(Path("/etc/pip.conf"))
    if sys.platform == "darwin":
        files.append(Path("/Library/Application Support/pip/pip.conf"))
        files.append(home / "Library/Application Support/pip/pip.conf")
    files.append(home / ".pip" / "pip.conf")
    files.append(Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf")
    # The file of an environment is about that environment: ours is not the one installed to,
    # but its settings are what `pip install` beside the harness would have used.
    files.append(Path(sys.prefix) / "pip.conf")
    if named:
        files.append(Path(named).expanduser())
    return tuple(files)


def pip_settings(environ: Mapping[str, str], files: tuple[Path, ...]) -> dict[str, str]:
    """Settings of ``pip install`` by option name; a later file, then a variable, wins whole.

    A file that cannot be read or parsed counts as absent, as uv would not have read it either.
    """
    settings: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file)
        except (OSError, configparser.Error, UnicodeDecodeError):
            continue
        for section in _SECTIONS:
            if parser.has_section(section):
                settings.update(
                    {_option(name): value for name, value in parser.items(section) if value}
                )
    for name, value in environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE" and value:
            settings[_option(name.removeprefix("PIP_"))] = value
    return settings


def redact(text: str) -> str:
    """Return ``text`` with user names and passwords of addresses blotted out."""
    return _CREDENTIALS.sub(r"\1***@", text)


_CREDENTIALS: Final = re.compile(r"([a-z][a-z0-9+.\-]*://)[^/\s@\"'`]+@", re.IGNORECASE)


def _option(name: str) -> str:
    return name.strip().lower().replace("_", "-").lstrip("-")


def _words(value: str | None) -> list[str]:
    return (value or "").split()


def _first(value: str | None) -> str | None:
    words = _words(value)
    return words[0] if words else None


def _find_links(words: list[str]) -> tuple[list[str], list[str]]:
    """Folders made absolute; what uv would stop at, and pip only warns of, is left out."""
    links, notes = [], []
    for word in words:
        parts = urlsplit(word)
        if parts.scheme in ("http", "https"):
            links.append(urlunsplit(parts))
            continue
        folder = Path(parts.path if parts.scheme == "file" else word).expanduser().absolute()
        if folder.is_dir():
            links.append(str(folder))
        else:
            notes.append(
                f"pip's setting find-links names {redact(word)}, which is no folder here: ignored"
            )
    return links, notes


def _digest(env: Mapping[str, str], options: list[str]) -> str:
    """Digest of all that an answer of the resolver may depend on."""
    digest = hashlib.sha256()
    for name in sorted(env):
        if name.startswith("UV_") and name not in _IRRELEVANT:
            digest.update(f"{name}={env[name]}\0".encode())
    digest.update("\0".join(options).encode())
    for folder in (env.get("UV_FIND_LINKS") or "").split(","):
        # A wheel that was added to a local folder or taken from it changes the answer.
        if folder and Path(folder).is_dir():
            digest.update(str(Path(folder).stat().st_mtime_ns).encode())
    for file in _uv_files(env):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


_IRRELEVANT: Final = frozenset(
    {
        "UV_CACHE_DIR",
        "UV_CONCURRENT_BUILDS",
        "UV_CONCURRENT_DOWNLOADS",
        "UV_CONCURRENT_INSTALLS",
        "UV_HTTP_RETRIES",
        "UV_HTTP_TIMEOUT",
        "UV_INSECURE_HOST",
        "UV_LINK_MODE",
        "UV_NO_PROGRESS",
        "UV_OFFLINE",
    }
)


def _uv_files(env: Mapping[str, str]) -> tuple[Path, ...]:
    """uv's own configuration of the machine and of the user, which uv reads itself."""
    home = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or Path.home()) / ".config")
    named = env.get("UV_CONFIG_FILE")
    files = [Path("/etc/uv/uv.toml"), home / "uv" / "uv.toml"]
    return tuple([*files, Path(named)] if named else files)
