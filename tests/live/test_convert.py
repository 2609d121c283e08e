"""Values over real bridges: what is known of each comes out, and nothing is taken for granted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.model.cell import Axes, Limits
from harness.model.status import Status
from harness.probes.convert.fixtures import load_fixtures
from harness.provision.store import FolderStore, default_root

from .whole import Whole, probe_of

pytestmark = pytest.mark.live

PINS = (("numpy", "==1.26.4"), ("pandas", "==2.2.3"), ("scipy", "==1.13.1"))
BOOKWORM, TRIXIE = "4.2.2", "4.5.0"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with FolderStore(default_root()) as store:
        yield Whole(store, tmp_path_factory.mktemp("convert"))


def outcomes(run: Whole, **axes: Any) -> dict[str, tuple[str, str]]:
    # A path that starts Python for each value needs minutes where the machine is busy.
    limits = Limits(phases_s={"convert": 1200.0})
    record = run(Axes(python="3.11", pins=PINS, **axes), "init", "convert", limits=limits)
    probe = probe_of(record, "convert")
    assert (probe.status, probe.message) == (Status.PASS, None)
    values = probe.details["values"]
    assert list(values) == [fixture.name for fixture in load_fixtures()]
    return {
        name: (str(value["there"]["outcome"]), str(value["back"]["outcome"]))
        for name, value in values.items()
    }


EXACT = ("exact", "exact")
SILENT = ("silent loss", "silent loss")


def test_python_alone_loses_nothing(run):
    found = outcomes(run, path="native")
    assert {found[one.name] for one in load_fixtures() if one.origin == "python"} == {EXACT}
    theirs = {found[one.name] for one in load_fixtures() if one.origin == "r"}
    assert theirs == {("unsupported", "unsupported")}


def test_reticulate(run):
    found = outcomes(run, path="reticulate", r=BOOKWORM, bridge="1.28")
    assert found["r-integers"] == found["r-matrix-double"] == found["py-dict"] == EXACT
    assert found["py-set"] == EXACT  # by reference
    assert found["r-logical-na"] == found["r-factor"] == found["py-int-beyond-2-31"] == SILENT
    assert found["r-integers-na"] == ("silent loss", "exact")
    assert found["np-matrix-c"] == ("exact", "documented loss")
    assert found["r-factor-ordered"][0] == "warned loss"
    assert found["py-str-nul"][0] == "error"


def test_rpy2_and_a_value_that_ends_the_process(run):
    found = outcomes(run, path="rpy2", r=TRIXIE, bridge="3.6.9")
    assert found["py-function"] == ("crash", "crash")
    # What came after it was tried as well.
    assert found["r-matrix-double"] == found["r-factor"] == found["r-function"] == EXACT
    assert found["r-integer-na"][0] == "silent loss"
    assert found["py-set"][0] == "unsupported"


@pytest.mark.long
def test_messages_of_rpc(run):
    found = outcomes(run, path="rpc", transport="socket", r=TRIXIE)
    assert found["r-doubles"] == found["r-matrix-integer"] == found["py-str-latin"] == EXACT
    assert found["py-set"][0] == found["py-int-beyond-2-53"][0] == "unsupported"
    # What would be lost is refused where it is sent.
    assert {found[name][0] for name in ("r-factor", "r-integer-na", "np-array-bool")} == {
        "unsupported"
    }
    assert found["py-tuple"][0] == "documented loss"
    assert not [name for name, both in found.items() if "silent loss" in both]


@pytest.mark.long
def test_files_of_system(run):
    found = outcomes(run, path="system", r=TRIXIE)
    assert found["r-matrix-double"] == found["py-str-latin"] == EXACT
    assert found["py-nan"] == ("documented loss", "documented loss")
    assert found["py-bytes"] == SILENT
