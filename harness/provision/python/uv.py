"""uv, run where an interpreter is: on this machine, or in the root folder that it lives in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.programs import uv_program
from harness.provision.process import run
from harness.provision.r.root import AUTHORITIES, authorities, enter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.model.environment import Interpreter, PackageSources
    from harness.provision.process import Ran

_UV: Final = "/run/uv"
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_FILES: Final = ("SSL_CLIENT_CERT", "UV_CONFIG_FILE", "NETRC", "UV_CONSTRAINT", "UV_OVERRIDE")
"""Variables that name files which uv reads."""


def run_uv(
    interpreter: Interpreter,
    sources: PackageSources,
    arguments: Sequence[str | Path],
    *,
    folder: Path,
    readable: Sequence[Path] = (),
    limit_s: float,
) -> Ran:
    """Run uv for ``interpreter``, which it is to start.

    An interpreter that lives in a root folder is started there, and uv with it: it asks the
    interpreter what it is, builds with it, and links to it by the path that a cell will see.

    Parameters
    ----------
    folder
        The working folder, in which uv may write: no project's settings are above it.
    readable
        Further folders and files that uv reads; in a root folder it sees nothing else.
    """
    env = dict(sources.env)
    if interpreter.root is None:
        return run([uv_program(), *arguments], env=env, cwd=folder, limit_s=limit_s)
    cache = uv_cache(sources)
    cache.mkdir(parents=True, exist_ok=True)
    seen = dict.fromkeys((*readable, *_configured(sources)))
    command = [
        *enter(interpreter.root, tuple(seen), writable=(folder, cache), network=True),
        *("--chdir", str(folder), "--ro-bind", uv_program(), _UV, _UV),
    ]
    # By its environment, not by options of bubblewrap's: there may be credentials in it.
    env |= {"PATH": _PATH, "TMPDIR": "/tmp", "UV_CACHE_DIR": str(cache)}  # noqa: S108 - its own
    # Links do not reach from one mount to another.
    env |= {"UV_LINK_MODE": "copy", "LC_ALL": "C.UTF-8"}
    if authorities(sources.env) is not None:
        env["SSL_CERT_FILE"] = AUTHORITIES
    bwrap, *rest = command
    program = shutil.which(bwrap) or bwrap
    return run([program, *rest, *arguments], env=env, cwd=folder, limit_s=limit_s)


def with_variables(sources: PackageSources, variables: Mapping[str, str]) -> PackageSources:
    """Return ``sources`` with further variables for uv and what it builds."""
    return msgspec.structs.replace(sources, env={**sources.env, **variables})


def uv_cache(sources: PackageSources) -> Path:
    """Where uv keeps what it downloaded, as its documentation has it."""
    if named := sources.env.get("UV_CACHE_DIR"):
        return Path(named)
    home = Path(sources.env.get("HOME") or Path.home())
    return Path(sources.env.get("XDG_CACHE_HOME") or home / ".cache") / "uv"


def _configured(sources: PackageSources) -> Iterator[Path]:
    """Files and folders of this machine that uv's settings name."""
    env = sources.env
    home = Path(env.get("HOME") or Path.home())
    settings = Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "uv"
    words = [env.get("UV_FIND_LINKS", "").split(","), sources.options]
    named = [env[name] for name in _FILES if env.get(name)]
    places = [home / ".netrc", settings, *(Path(word) for part in (*words, named) for word in part)]
    for place in places:
        # What lies in the system's own folders cannot be shown over those of another system.
        if place.is_absolute() and place.exists() and not place.is_relative_to("/usr"):
            yield place
    for index in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"):
        for address in env.get(index, "").split():
            _name, _is, folder = address.partition("file://")
            if folder and Path(folder).is_dir():
                yield _around(Path(folder))


def _around(index: Path) -> Path:
    """Return what to show of an index that is a folder: its files may lie beside its pages."""
    is_top = len(index.parent.parts) <= 2  # noqa: PLR2004 - "/" and one folder
    return index if is_top else index.parent
