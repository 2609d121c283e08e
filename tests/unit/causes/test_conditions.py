"""Conditions on facts: which hold, and which are faults of the catalogue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.causes.conditions import fault_of_condition, holds, version_of
from harness.causes.facts import OPEN, VOCABULARY
from harness.causes.model import Fact

FACTS: dict[str, Fact] = {
    "bridge.version": "1.41.0.1",
    "python.version": "3.12.4",
    "python.requested_version": "3.12.4",
    "python.exists": False,
    "python.requested_by": "use_python",
    "elf.undefined_symbol": "_ZN3c10",
    "exit.code": 132,
    "maps.libpython": ("/usr/lib/libpython3.11.so.1.0", "/opt/libpython3.11.so.1.0"),
    "env.PYTHONHOME": "/opt",
    "package.numpy": "2.0.1rc1",
    "r_package.rpython": "0.0-6",
}


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("bridge.version", ">=1.41"),
        ("bridge.version", ">1.41"),
        ("bridge.version", ">=1.41,<1.43"),
        ("python.version", "3.12"),
        ("python.version", "!=3.12"),
        ("python.version", "=={python.requested_version}"),
        ("python.exists", "false"),
        ("python.requested_by", ("use_virtualenv", "use_python")),
        ("elf.undefined_symbol", "~^_ZN"),
        ("exit.code", "132"),
        ("exit.code", ">=128"),
        ("maps.libpython", "~/opt/"),
        ("maps.libpython", "/opt/libpython3.11.so.1.0"),
        ("env.PYTHONHOME", "present"),
        ("env.PYTHONPATH", "absent"),
        ("package.numpy", ">=2"),
        ("r_package.rpython", "<0.0.7"),
    ],
)
def test_holds(name: str, condition: str | tuple[str, ...]) -> None:
    assert fault_of_condition(name, condition) is None
    assert holds(name, condition, FACTS)


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("bridge.version", "<1.41"),
        ("python.version", "3.1"),
        ("python.version", "!={python.requested_version}"),
        ("python.version", "!={r.version}"),
        ("python.exists", "true"),
        ("python.starts", "false"),
        ("env.PYTHONPATH", "present"),
        ("env.PYTHONHOME", "absent"),
        ("maps.libpython", "~python3.12"),
        ("exit.code", "<128"),
    ],
)
def test_does_not_hold(name: str, condition: str) -> None:
    assert fault_of_condition(name, condition) is None
    assert not holds(name, condition, FACTS)


@pytest.mark.parametrize(
    ("name", "condition", "said"),
    [
        ("python.versoin", "3.12", "no fact"),
        ("python.exists", "maybe", "true or false"),
        ("bridge.version", "about 1.4", "compares no version"),
        ("exit.code", "SIGSEGV", "compares no number"),
        ("elf.file", "~(", "no regular expression"),
        ("python.version", "=={python.oter}", "no fact"),
    ],
)
def test_faults(name: str, condition: str, said: str) -> None:
    assert said in (fault_of_condition(name, condition) or "")


def test_types_are_known() -> None:
    kinds = {kind.type for kind in (*VOCABULARY.values(), *OPEN.values())}
    assert kinds <= {"text", "version", "number", "flag", "list"}


_VERSIONS = st.lists(st.integers(0, 99), min_size=1, max_size=4)


@given(_VERSIONS, _VERSIONS)
def test_versions_compare_as_their_numbers_do(one: list[int], other: list[int]) -> None:
    have, want = (".".join(map(str, parts)) for parts in (one, other))
    padded = [(*parts, *([0] * (4 - len(parts)))) for parts in (one, other)]
    facts: dict[str, Fact] = {"r.version": have}
    assert version_of(have) == tuple(one)
    assert holds("r.version", f"<{want}", facts) == (padded[0] < padded[1])
    assert holds("r.version", f">={want}", facts) == (padded[0] >= padded[1])
    assert holds("r.version", f"=={want}", facts) == (padded[0] == padded[1])
