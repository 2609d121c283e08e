"""Remedies that need another environment, proven in one of the harness's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.live.causes.bench import BOOKWORM, Bench

pytestmark = pytest.mark.live


def test_another_numpy_is_proven_to_help(bench: Bench, tmp_path: Path) -> None:
    healthy = bench.jax()
    # The store of the doctor inside is a new one: what it builds there is thrown away.
    situation = replace(
        healthy,
        r=BOOKWORM,
        network=True,
        env={**healthy.env, "XDG_CACHE_HOME": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "uv")},
        arguments=("--fix",),
    )
    answer = bench.doctor(situation, writable=(tmp_path,))
    assert answer.cause == "numpy2-vs-old-reticulate"
    assert True in answer.remedies.values(), answer.report["notes"]
