"""uv's accounts, as it printed them (uv 0.13.9), cut down to one sentence."""

from __future__ import annotations

import pytest

from harness.model.environment import PackageSources
from harness.resolve.explain import condense
from harness.resolve.uv import Answer, index_named_in, kind_of

NO_WHEELS = """\
error: No solution found when resolving dependencies
  cause: Because tensorflow-cpu==2.15.0 has no wheels with a matching Python ABI tag (e.g., \
`cp313`) and you require tensorflow-cpu==2.15.0, we can conclude that your requirements are \
unsatisfiable.

hint: You require CPython 3.13 (`cp313`), but we only found wheels for `tensorflow-cpu` (v2.15.0)
"""
CONFLICT = """\
error: No solution found when resolving dependencies
  cause: Because tensorflow-cpu==2.15.0 depends on keras>=2.15.0,<2.16 and you require \
keras==3.15.1, we can conclude that your requirements and tensorflow-cpu==2.15.0 are incompatible.
         And because you require tensorflow-cpu==2.15.0, we can conclude that your requirements \
are unsatisfiable.
"""
NO_VERSION = """\
error: No solution found when resolving dependencies
  cause: Because there is no version of keras==3.99.1 and you require keras==3.99.1, we can \
conclude that your requirements are unsatisfiable.
"""
UNREACHED = """\
error: Request failed after 3 retries in 10.1s
  cause: Failed to fetch: https://index.test/whl/cpu/torch/
  cause: error sending request for url (https://index.test/whl/cpu/torch/)
  cause: dns error
"""


@pytest.mark.parametrize(
    ("account", "clause"),
    [
        (NO_WHEELS, "tensorflow-cpu==2.15.0 has no wheels for Python 3.13.0"),
        (
            CONFLICT,
            (
                "tensorflow-cpu==2.15.0 depends on keras>=2.15.0,<2.16, "
                "while keras==3.15.1 is asked for"
            ),
        ),
        (NO_VERSION, "there is no version of keras==3.99.1"),
        ("", "the requirements conflict"),
    ],
)
def test_condense(account: str, clause: str) -> None:
    assert condense(account, "3.13.0") == clause


def test_kinds_of_failure() -> None:
    assert kind_of(NO_WHEELS) is Answer.NO_SOLUTION
    assert kind_of(UNREACHED) is Answer.UNREACHED
    assert kind_of("error: Failed to parse") is Answer.OTHER


def test_the_place_is_named_by_its_kind_alone() -> None:
    configured = PackageSources(env={"UV_INDEX": "https://me:secret@index.test/simple"})
    assert index_named_in(UNREACHED, configured) == (
        "a package index of this machine's configuration"
    )
    assert index_named_in(UNREACHED, PackageSources()) == "PyTorch's own package index"
    assert index_named_in("dns error", PackageSources()) == "the Python package index"
