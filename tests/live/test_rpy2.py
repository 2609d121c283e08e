"""rpy2 in real cells: it fits its R or says why not, and planted faults do not get by."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from harness.model.cell import Axes, Framework
from harness.model.record import CellRecord
from harness.model.status import Phase, Status
from harness.paths.rpy2 import PATH, Rpy2
from harness.provision.store import FolderStore, default_root

from .whole import Whole, probe_of

pytestmark = pytest.mark.live

JAX = Framework(name="jax", version="0.10.2")
BOOKWORM, TRIXIE = "4.2.2", "4.5.0"
PINS = (("numpy", ">=2"),)
PROBES = ("init", "train", "call", "callback", "error")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with FolderStore(default_root()) as store:
        yield Whole(store, tmp_path_factory.mktemp("rpy2"))


def axes(r: str = TRIXIE, bridge: str | None = None) -> Axes:
    bridge = bridge or PATH.default_bridge(r)
    return Axes(path="rpy2", r=r, bridge=bridge, python="3.11", framework=JAX)


def statuses(record: CellRecord) -> dict[str, Status]:
    return {probe.name: probe.status for probe in record.probes}


@pytest.mark.parametrize("r", [TRIXIE, BOOKWORM])
def test_data_made_in_r_are_trained_on_in_python(run, r):
    record = run(axes(r), *PROBES)
    trained = probe_of(record, "train")
    assert (trained.status, trained.message) == (Status.PASS, None)
    assert trained.details["max_relative_difference"] < 1e-6
    assert trained.details["accuracy"] >= 0.9
    started = probe_of(record, "init")
    assert (started.status, started.message) == (Status.PASS, None)
    names = [stage.name for stage in started.stages]
    assert names[:4] == ["process_start", "identity", "bridge_load", "r_start"]
    assert "python_start" not in names
    assert record.ending.exit_code == 0


@pytest.mark.parametrize("r", [TRIXIE, BOOKWORM])
def test_both_languages_say_who_they_are(run, r):
    seen = run(axes(r), *PROBES).identity
    assert seen["host"] == "python"
    assert (seen["r"]["version"], seen["r"]["home"]) == (r, "/usr/lib/R")
    assert seen["r"]["library"] == "/usr/lib/R/lib/libR.so"
    assert seen["python"]["libpython"].startswith("PYTHON/lib/libpython3.11")
    assert seen["bridge"]["version"] == PATH.default_bridge(r)
    assert seen["bridge"]["mode"] == "ABI"
    assert set(seen["bridge"]["parts"]) == {"rpy2-rinterface", "rpy2-robjects"}


@pytest.mark.parametrize("r", [TRIXIE, BOOKWORM])
def test_small_calls_in_both_directions(run, r):
    record = run(axes(r), *PROBES)
    for name in ("call", "callback"):
        probe = probe_of(record, name)
        assert (probe.status, probe.message) == (Status.PASS, None)
    assert probe_of(record, "callback").details["result"] == 60


@pytest.mark.parametrize("r", [TRIXIE, BOOKWORM])
def test_rpy2_swallows_a_python_exception_on_its_way_into_r(run, r):
    # rpy2 writes it to Python's log and returns NULL: R code goes on as if all were well.
    probe = probe_of(run(axes(r), *PROBES), "error")
    assert (probe.status, probe.phase) == (Status.FAIL, Phase.ERROR)
    assert "swallowed" in (probe.message or "")
    assert "planted: naïve" in probe.details["python_to_r"]["logged"]
    back = probe.details["r_to_python"]
    assert (back["raised"], back["class"]) == (True, "RRuntimeError")
    assert "planted in R" in back["message"]


def test_an_rpy2_that_does_not_fit_its_r_says_what_it_lacks(run):
    record = run(axes(BOOKWORM, "3.6.9"), "init", "train")
    assert (record.status, record.phase) == (Status.FAIL, Phase.BRIDGE)
    assert "undefined symbol: R_getVar" in (record.message or "")
    assert "import rpy2.rinterface" in record.evidence["traceback"]
    assert "undefined symbol: R_getVar" in record.evidence["traceback"]


def test_an_rpy2_of_one_piece(run):
    # 3.5 has no wheel and is built here, without R, as rpy2 can be for its ABI mode.
    record = run(axes(TRIXIE, "3.5.17"), "init", "train")
    assert (record.status, record.message) == (Status.PASS, None)
    assert record.identity["bridge"]["parts"] == {}


def test_a_second_python_is_not_swapped_for_the_systems(run):
    # Debian trixie's libpython is 3.13 as well, and lies in a folder that R puts first.
    asked = msgspec.structs.replace(axes(), python="3.13", framework=None, pins=PINS)
    probe = probe_of(run(asked, "init", "convert"), "convert")
    assert (probe.status, probe.message) == (Status.PASS, None)


class LastWords(Rpy2):
    """rpy2 with a driver that does as told, and crashes on its way out."""

    def __init__(self, folder: Path) -> None:
        self.files = shutil.copytree(PATH.files, folder / "files")
        driver = self.files / "driver.py"
        crash = "import atexit, ctypes\natexit.register(ctypes.string_at, 0)\n"
        start = 'if __name__ == "__main__":'
        driver.write_text(driver.read_text().replace(start, f"{crash}{start}"))


def test_a_crash_on_the_way_out_is_a_crash(run, tmp_path):
    record = run(axes(), "init", path=LastWords(tmp_path))
    assert (record.status, record.phase) == (Status.CRASH, Phase.TEARDOWN)
    assert "all probes passed, then SIGSEGV while ending" in (record.message or "")
    assert statuses(record) == {"init": Status.PASS}
