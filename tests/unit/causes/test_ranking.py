"""Which of two causes of the catalogue comes first where both have something for them."""

from __future__ import annotations

import pytest

from harness.causes import Catalogue, Evidence, diagnose
from harness.causes.load import read_catalogue
from harness.causes.model import Fact

NO_SYMBOL = "ImportError: /usr/lib/R/lib/libR.so: undefined symbol: R_getVar"
MODULES: dict[str, Fact] = {"env.PYTHONPATH": "/opt/modules", "phase": "start"}
MISFIT: dict[str, Fact] = {
    "bridge.name": "rpy2",
    "bridge.version": "3.6.9",
    "r.version": "4.2.2",
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return read_catalogue(check_patterns=False)


def first(catalogue: Catalogue, text: str, facts: dict[str, Fact]) -> str | None:
    causes = diagnose(Evidence(text=text, facts=facts), catalogue).causes
    return causes[0].id if causes else None


@pytest.mark.parametrize(
    ("text", "facts", "expected"),
    [
        # Facts and text agree: that PYTHONPATH brings something else does not matter.
        (NO_SYMBOL, {**MODULES, **MISFIT, "pythonpath.packages": ("mine",)}, "rpy2-too-new-for-R"),
        ("", {**MODULES, **MISFIT, "pythonpath.packages": ("mine",)}, "rpy2-too-new-for-R"),
        # The text alone says rpy2, and the fact says where that rpy2 came from.
        (
            NO_SYMBOL,
            {**MODULES, "bridge.name": "rpy2", "pythonpath.packages": ("rpy2", "rpy2_rinterface")},
            "pythonpath-contamination",
        ),
        # A package that every framework imports comes from elsewhere.
        (
            "ImportError: cannot load",
            {**MODULES, "phase": "import", "pythonpath.packages": ("numpy",)},
            "pythonpath-contamination",
        ),
        # One that none imports is no more than a suspicion beside a plain text.
        (
            "ModuleNotFoundError: No module named 'torch'",
            {**MODULES, "phase": "import", "pythonpath.packages": ("mine",)},
            "framework-module-missing",
        ),
    ],
)
def test_a_foreign_package_and_what_the_text_says(
    catalogue: Catalogue, text: str, facts: dict[str, Fact], expected: str
) -> None:
    assert first(catalogue, text, facts) == expected


@pytest.mark.parametrize(
    ("expected", "got", "cause"),
    [
        ("88 from C header", "96 from PyObject", "numpy-older-than-module"),
        ("96 from C header", "88 from PyObject", "numpy2-vs-module-built-on-1x"),
    ],
)
def test_which_of_two_numpys_is_the_older(
    catalogue: Catalogue, expected: str, got: str, cause: str
) -> None:
    text = (
        "ValueError: numpy.dtype size changed, may indicate binary incompatibility. "
        f"Expected {expected}, got {got}"
    )
    assert first(catalogue, text, {}) == cause


def test_a_refused_connection_of_another_program_is_not_blamed_on_the_peer(
    catalogue: Catalogue,
) -> None:
    refused = "java.net.ConnectException: Connection refused"
    assert first(catalogue, f"org.rosuda.REngine.Rserve: {refused}", {}) == "rpc-peer-refused"
    assert first(catalogue, f"Selenium message:{refused}", {}) is None
