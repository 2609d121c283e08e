"""One bench for all tests of the doctor: what it brings is kept in the store of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.provision.store import FolderStore, default_root
from tests.live.causes.bench import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    # What was brought for another test need not come twice.
    with FolderStore(default_root()) as store:
        yield Bench(store, tmp_path_factory.mktemp("doctor"))
