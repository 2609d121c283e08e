"""What several modules of live tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.provision.store import FolderStore, default_root

from .sources import source_of_reticulate, source_of_rpy2
from .started import Started


@pytest.fixture(scope="module")
def store() -> Iterator[FolderStore]:
    """The store that all share: what was brought for another test need not come twice."""
    with FolderStore(default_root()) as store:
        yield store


@pytest.fixture
def begin() -> Iterator[Started]:
    """Start programs that end with the test, whatever becomes of it."""
    started = Started()
    yield started
    started.close()


@pytest.fixture(scope="module")
def reticulate(store: FolderStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of Debian's reticulate, with a version of its own."""
    return source_of_reticulate(store, tmp_path_factory.mktemp("reticulate"))


@pytest.fixture(scope="module")
def rpy2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of rpy2's three projects, as its repository has them."""
    return source_of_rpy2(tmp_path_factory.mktemp("rpy2"))
