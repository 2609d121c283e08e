"""The bridges' own tests, run in real cells."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.errors import Unavailable
from harness.model.cell import Axes, Limits
from harness.model.status import Phase, Status
from harness.provision.provisioner import Provisioner
from harness.provision.r.bridge_source import bridge_source
from harness.provision.store import FolderStore, default_root

from .whole import Whole, probe_of

pytestmark = [pytest.mark.live, pytest.mark.long]

TRIXIE = "4.5.0"
LONG = Limits(phases_s={"op": 900.0})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with FolderStore(default_root()) as store:
        yield Whole(store, tmp_path_factory.mktemp("upstream"))


def axes(path: str, bridge: str) -> Axes:
    return Axes(path=path, r=TRIXIE, bridge=bridge, python="3.11")


def test_rpy2s_own_tests_pass(run):
    record = run(axes("rpy2", "3.6.9"), "upstream", limits=LONG)
    probe = probe_of(record, "upstream")
    assert (probe.status, probe.message) == (Status.PASS, None)
    assert probe.details["version"] == "3.6.7"
    assert probe.details["source"].startswith("rpy2.rinterface.tests")
    assert probe.details["total"] == probe.details["passed"] + probe.details["skipped"]
    assert probe.details["passed"] > 300


def test_reticulates_own_tests_are_counted_and_their_failures_named(run):
    # Some need a network, a compiler or older packages than there are: they are counted.
    record = run(axes("reticulate", "1.41"), "upstream", limits=LONG)
    probe = probe_of(record, "upstream")
    if probe.status is Status.TIMEOUT:
        # Seen once in eight runs, on a machine with too much to do.
        begun = [line for line in record.evidence["stderr"].splitlines() if "Start test" in line]
        pytest.skip(f"one of reticulate's own tests hangs: {begun[-1:]}")
    assert (probe.status, probe.phase) == (Status.FAIL, Phase.OP)
    assert "of the bridge's own" in (probe.message or "")
    details = probe.details
    assert details["version"] == "1.41.0.1"
    assert details["passed"] > 100
    assert details["failed"] + details["errors"] >= len(details["failures"]) > 0
    assert all(failure["name"].startswith("test-") for failure in details["failures"])
    # What the harness keeps from a cell fails in it, and is told by its name.
    names = " ".join(failure["name"] for failure in details["failures"])
    assert "can bootstrap install uv" in names


def test_a_path_without_a_bridge_has_no_tests_of_one(run):
    record = run(Axes(path="system", r=TRIXIE, python="3.11"), "upstream")
    assert probe_of(record, "upstream").status is Status.UNSUPPORTED


def test_the_source_of_a_package_that_debian_does_not_have(tmp_path):
    with FolderStore(default_root()) as store:
        provisioner = Provisioner(store)
        toolchain = provisioner.r(axes("reticulate", "1.41"))
        assert toolchain is not None
        with pytest.raises(Unavailable, match=r"the source of nosuch from Debian trixie cannot be"):
            bridge_source(toolchain, "nosuch", store=store, notify=lambda _text: None)
