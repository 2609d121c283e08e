"""The fuzzer of ``bench/fuzz.py``, which the long form runs as well."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "bench" / "fuzz.py"


@pytest.fixture(scope="session")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_fuzz", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_fuzz"] = module
    spec.loader.exec_module(module)
    return module
