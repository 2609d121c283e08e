"""Which folders a cell sees where, as options of bubblewrap.

A cell's file system is a tree of mount points.  A mount point must exist before something
can be mounted on it, and below a folder that is bound read-only it cannot be made.  So
where one is missing, the folder around it is not bound as a whole but rebuilt: an empty
folder, in which each entry of the original is bound by itself.  That way any folder of the
machine can be shown at its own path, whatever root the cell has.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.model.job import Job

SECRET_PLACES: Final = (
    ".ssh",
    ".gnupg",
    ".pki",
    ".aws",
    ".azure",
    ".oci",
    ".boto",
    ".s3cfg",
    ".docker",
    ".kube",
    ".terraform.d",
    ".vault-token",
    ".netrc",
    ".authinfo",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".Renviron",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".Rhistory",
    ".password-store",
    ".mozilla",
    ".thunderbird",
    ".config/gcloud",
    ".config/gh",
    ".config/hub",
    ".config/git/credentials",
    ".config/pip",
    ".config/uv",
    ".config/dask",
    ".config/containers/auth.json",
    ".config/rclone",
    ".config/google-chrome",
    ".config/chromium",
    ".cache/huggingface/token",
    ".cache/huggingface/stored_tokens",
    ".huggingface",
    ".kaggle",
    ".local/share/keyrings",
    ".local/share/uv/credentials",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".condarc",
    ".databrickscfg",
)
"""Places below the caller's home that a cell on the machine's own root does not see.

The rest of the home stays visible: an R of the machine may live there, or its user library,
and a cell that failed because the harness hid it would be the harness's own fault.  What is
not hidden can be read but, without a network, not sent anywhere.  A bind that names a hidden
place shows it.
"""

_MAX_ENTRIES: Final = 1000
"""Entries of a folder that is rebuilt; bubblewrap takes 9000 arguments in all."""


class CannotShowError(Exception):
    """A cell cannot be given the view that its job asks for; the message is a sentence."""


@dataclass(frozen=True)
class MountTools:
    """What this machine's bubblewrap can do beyond its oldest versions."""

    sizes: bool = True
    """``--size`` for a tmpfs (0.7 and later)."""
    modes: bool = True
    """``--perms`` (0.5 and later)."""


@dataclass(frozen=True)
class _Mount:
    """What lies at a mount point: a folder of the machine, or a file system of its own."""

    options: tuple[str, ...]
    """Without the target, which comes last."""
    source: Path | None = None
    """The machine's folder or file that becomes visible; ``None`` for an empty file system."""
    writable: bool = False
    after: tuple[str, ...] = ()
    """An option that takes the target again."""


@dataclass
class _Node:
    mount: _Mount | None = None
    children: dict[str, _Node] = field(default_factory=dict)


def mount_options(
    job: Job, *, home: Path, devices: Sequence[Path] = (), tools: MountTools | None = None
) -> list[str]:
    """Return the options of bubblewrap that give a cell its view of the file system.

    Parameters
    ----------
    job
        ``root`` becomes ``/``, read-only; ``/tmp``, ``/run`` and ``/dev/shm`` are empty and
        writable, each no larger than the memory limit; ``/dev`` has the harmless devices
        only.  ``binds`` come on top of all that, the writable ones are writable.
    home
        The caller's home, for ``SECRET_PLACES``.
    devices
        Device files that the cell may use as well: a graphics card's.

    Raises
    ------
    CannotShowError
        Where a bind's source does not exist, or its target cannot be made.
    """
    tools = tools or MountTools()
    root = job.root or Path("/")
    if not root.is_dir():
        raise CannotShowError(f"the root folder {root} does not exist")
    top = _Node(_Mount(("--ro-bind", str(root)), root))
    for path, mount in _system_mounts(job, tools):
        _node(top, path).mount = mount
    if job.root is None:
        for path in _secrets(home):
            _node(top, _resolved(root, path)).mount = _hidden(path)
    if job.network:
        for path in _name_service(job.root):
            _node(top, _resolved(root, path)).mount = _Mount(("--ro-bind", str(path)), path)
    for device in devices:
        _node(top, device).mount = _Mount(("--dev-bind-try", str(device)))
    for bind in job.binds:
        _node(top, _target(root, bind.source, bind.target)).mount = _bind(
            bind.source, writable=bind.writable
        )
    return list(_options(top, Path("/"), None, covered=False, writable=False))


def _system_mounts(job: Job, tools: MountTools) -> Iterator[tuple[Path, _Mount]]:
    # What a cell writes to memory is no process's, so the memory limit does not see it.
    size = ("--size", str(job.limits.memory_mb * 2**20)) if tools.sizes else ()
    mode = ("--perms", "1777") if tools.modes else ()
    scratch = _Mount((*size, *mode, "--tmpfs"), writable=True)
    yield Path("/proc"), _Mount(("--proc",))
    yield Path("/dev"), _Mount(("--dev",), writable=True)
    yield Path("/dev/shm"), scratch  # noqa: S108 - the cell's own
    yield Path("/tmp"), scratch  # noqa: S108 - the cell's own
    yield Path("/run"), _Mount((*size, "--tmpfs"), writable=True)
    # Frameworks count processors and look for graphics cards here, and complain without it.
    if Path("/sys/devices").is_dir():
        yield Path("/sys"), _Mount(("--ro-bind", "/sys"), Path("/sys"))


def _secrets(home: Path) -> Iterator[Path]:
    for place in SECRET_PLACES:
        path = home / place
        if not path.is_symlink():
            if os.path.lexists(path):
                yield path
            continue
        # As those who keep such files elsewhere have it. No mount can lie on a link, so what it
        # leads to is hidden; a link that leads above the home would hide all of that.
        target = Path(os.path.realpath(path))
        if target.exists() and not home.resolve().is_relative_to(target):
            yield target


def _hidden(path: Path) -> _Mount:
    if path.is_dir():
        return _Mount(("--tmpfs",), after=("--remount-ro",))
    return _Mount(("--ro-bind", os.devnull), Path(os.devnull))


def _name_service(root: Path | None) -> Iterator[Path]:
    """Yield the files that a cell with a network needs from the machine to look up names."""
    for name in ("/etc/resolv.conf", "/etc/hosts"):
        path = Path(name)
        if not path.exists():
            continue
        if root is not None:
            yield path
        elif path.resolve().is_relative_to("/run"):
            # The cell's own /run is empty, and the link leads there.
            yield path.resolve()


def _bind(source: Path, *, writable: bool) -> _Mount:
    return _Mount(("--bind" if writable else "--ro-bind", str(source)), source, writable)


def _target(root: Path, source: Path, target: Path | None) -> Path:
    target = target or source
    if not os.path.lexists(source):
        raise CannotShowError(f"{source} does not exist, so that the cell cannot be shown it")
    if not target.is_absolute() or target == Path("/"):
        raise CannotShowError(f"{source} cannot be shown at {target}: give an absolute path")
    return _resolved(root, target)


def _resolved(root: Path, target: Path) -> Path:
    """Return ``target`` with the links of its parents followed inside ``root``.

    ``/lib/x`` is ``/usr/lib/x`` in a root whose ``/lib`` is a link: a mount point cannot lie
    below a link.
    """
    done = Path("/")
    waiting = list(reversed(Path(os.path.normpath(target)).parts[1:]))
    followed = 0
    while len(waiting) > 1:
        here = done / waiting.pop()
        inside = root / here.relative_to("/")
        followed += inside.is_symlink()
        if inside.is_symlink() and followed < 40:  # noqa: PLR2004 - the kernel's own bound
            link = Path(os.path.normpath(done / inside.readlink()))
            waiting.extend(reversed(link.parts[1:]))
            done = Path("/")
        else:
            done = here
    return done / waiting[0]


def _node(top: _Node, path: Path) -> _Node:
    node = top
    for part in path.parts[1:]:
        node = node.children.setdefault(part, _Node())
    return node


def _options(
    node: _Node, path: Path, backing: Path | None, *, covered: bool, writable: bool
) -> Iterator[str]:
    """Yield the options for ``node``.

    ``backing`` is the machine's file that the cell would see at ``path`` without ``node``;
    ``covered`` says that it is visible already, by the mount of a folder above.
    """
    if node.mount is not None:
        backing, writable, covered = node.mount.source, node.mount.writable, False
    if backing is not None and not covered and not writable and not _has_places(node, backing):
        yield from _rebuilt(node, path, backing)
        return
    if node.mount is not None:
        yield from (*node.mount.options, str(path))
    elif backing is not None and not covered:
        yield from ("--ro-bind", str(backing), str(path))
    for name, child in sorted(node.children.items()):
        below = None if backing is None else backing / name
        yield from _options(child, path / name, below, covered=True, writable=writable)
    if node.mount is not None and node.mount.after:
        yield from (*node.mount.after, str(path))


def _has_places(node: _Node, backing: Path) -> bool:
    """Tell whether ``backing`` holds a mount point of the right kind for all below ``node``."""
    for name, child in node.children.items():
        place = backing / name
        try:
            kind = place.lstat().st_mode
        except OSError:
            return False
        if child.mount is None:
            fits = stat.S_ISDIR(kind) and _has_places(child, place)
        elif child.mount.source is None:
            fits = stat.S_ISDIR(kind)
        else:
            fits = child.mount.source.is_dir() == stat.S_ISDIR(kind) and not stat.S_ISLNK(kind)
        if not fits:
            return False
    return True


def _rebuilt(node: _Node, path: Path, backing: Path) -> Iterator[str]:
    if not backing.is_dir():
        raise CannotShowError(f"nothing can be shown below {path}, which is no folder in the cell")
    try:
        entries = sorted(os.scandir(backing), key=lambda entry: entry.name)
    except OSError as error:
        raise CannotShowError(f"{backing} cannot be read: {error.strerror}") from error
    if len(entries) > _MAX_ENTRIES:
        names = ", ".join(sorted(node.children))
        raise CannotShowError(
            f"{names} cannot be shown below {path}: it does not exist in {backing}, which has"
            f" too many entries ({len(entries)}) to be rebuilt; make it there, empty"
        )
    if path != Path("/"):
        yield from ("--dir", str(path))
    for entry in entries:
        child = node.children.get(entry.name)
        # A link in the place of a folder that is needed below gives way to the folder.
        if child is not None:
            below = None if entry.is_symlink() else Path(entry.path)
            yield from _options(child, path / entry.name, below, covered=False, writable=False)
        elif entry.is_symlink():
            yield from ("--symlink", os.readlink(entry.path), str(path / entry.name))  # noqa: PTH115
        else:
            yield from ("--ro-bind", entry.path, str(path / entry.name))
    known = {entry.name for entry in entries}
    for name in sorted(node.children.keys() - known):
        yield from _options(node.children[name], path / name, None, covered=True, writable=False)
