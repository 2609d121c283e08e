"""What holds for every test: quick ones see nothing of this machine, long ones may take long."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A busy machine is no fault of the code; what takes too long is pytest-timeout's business.
settings.register_profile("house", deadline=None)
settings.register_profile("few", deadline=None, max_examples=10)
settings.load_profile("house")

LIMITS_S = {"live": 1800, "faults": 180, "browser": 600}
"""Seconds that a test with this mark may take, where it does not say so itself."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "long" not in str(config.option.markexpr):
        # A `-m` of the command line takes the place of that in pyproject.toml, which leaves them
        # out: whoever asks for the quick tests has not asked for hours.
        late = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=late)
        items[:] = [item for item in items if item not in late]
    for item in items:
        if _shares_what_is_dear(item):
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
        if item.get_closest_marker("timeout") is None:
            limits = [limit for mark, limit in LIMITS_S.items() if item.get_closest_marker(mark)]
            if limits:
                item.add_marker(pytest.mark.timeout(max(limits)))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long text or file by its parameter: an older pytest writes bytes out, dates in them
    and all, and workers that collected in different seconds then have different tests.
    """
    if isinstance(val, (str, bytes)) and len(val) > 100:
        return argname
    return None


def _shares_what_is_dear(item: pytest.Item) -> bool:
    """Tell whether a test stands on a run that its whole file shares: one worker has them all."""
    # What the doctor examines is made for each test by itself.
    if "bench" in getattr(item, "fixturenames", ()):
        return False
    return any(item.get_closest_marker(mark) for mark in ("live", "browser"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount a file system of 64 KiB over a new folder below the test's own, and return that."""
    mounted = []

    def mount(name: str = "small") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        if ended.returncode:
            pytest.skip(f"only root can mount a small file system: {ended.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        # Lazily: a cell of another test that is just being set up may have a copy of the mount.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(params=[errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems without locks: Lustre that is mounted so, NFS without its daemon, others."""

    def refuse(_file: object, _how: int) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr("fcntl.flock", refuse)


@pytest.fixture(autouse=True)
def _hermetic(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Keep a quick test from this machine's caches, settings and network."""
    for name in os.environ:
        if name.startswith("HARNESS_") or name in {"FORCE_COLOR", "CLICOLOR_FORCE"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    if request.node.get_closest_marker("live"):
        return
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(home / name))
    monkeypatch.setattr(socket.socket, "connect", _only_this_machine(socket.socket.connect))


def _only_this_machine(connect: Callable[..., None]) -> Callable[..., None]:
    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_local(address[0]):
            raise AssertionError(f"a test without the mark `live` connected to {address[0]}")
        connect(self, address)

    return guarded


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
