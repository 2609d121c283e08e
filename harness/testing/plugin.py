"""What pytest calls: options, the collection of matrices, fixtures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from harness.model.cell import Cell
    from harness.testing.cells import HarnessCell
    from harness.workflow.workbench import Workbench

MARK: Final = "harness"
_SUFFIXES: Final = frozenset({".yaml", ".yml"})
_SELECT: Final = ("only", "where")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run, as `harness run` has them."""
    group = parser.getgroup("harness", "combinations of R, Python and frameworks")
    group.addoption(
        "--harness-results",
        metavar="DIR",
        type=Path,
        help="Folder for the results; by default .harness/results/<matrix>.",
    )
    group.addoption(
        "--harness-expect",
        metavar="FILE",
        type=Path,
        help=(
            "The list of cells that are known not to pass: each is an xfail, strictly but for "
            "flaky ones."
        ),
    )
    group.addoption(
        "--harness-where",
        metavar="QUERY",
        help="Collect the cells that fit this query: 'path:reticulate r:>=4.2'.",
    )
    group.addoption(
        "--harness-bridge",
        metavar="NAME=PLACE",
        action="append",
        default=[],
        help="Another bridge: a version, or its source tree; may be given once for each path.",
    )
    group.addoption(
        "--harness-cran", metavar="REPOSITORY", help="Where R packages come from that no R brings."
    )
    group.addoption(
        "--harness-fresh", action="store_true", help="Run cells anew that have a result."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(matrix, *, only=None, where=None): run the test in each cell of a matrix that is "
        "selected; a matrix's path counts from the test's own file",
    )
    config.pluginmanager.register(_Workshop(config), "harness-workshop")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take a YAML file for a matrix where it was named itself: `pytest matrices/smoke.yaml`."""
    if file_path.suffix not in _SUFFIXES or not parent.session.isinitpath(file_path):
        return None
    from harness.testing.items import MatrixFile

    found: pytest.Collector = MatrixFile.from_parent(parent, path=file_path)
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a marked test in each cell of its matrix."""
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is None or "harness_cell" not in metafunc.fixturenames:
        return
    from harness.testing.cells import cells_of_mark

    cells = cells_of_mark(mark, metafunc.definition.path.parent, metafunc.config)
    metafunc.parametrize("_harness_cell", cells, ids=[cell.id for cell in cells], indirect=True)


class _Workshop:
    """Holds the workbench that the tests of a process share."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._workbench: Workbench | None = None

    def get(self) -> Workbench:
        """Return the workbench, made when the first test asks for it."""
        if self._workbench is None:
            from harness.workflow.workbench import Workbench as Made

            self._workbench = Made(
                bridges=self._config.getoption("--harness-bridge"),
                cran=self._config.getoption("--harness-cran"),
            )
        return self._workbench

    def pytest_unconfigure(self) -> None:
        """Let go of what is in use."""
        if self._workbench is not None:
            self._workbench.close()

    @staticmethod
    def pytest_sessionfinish(session: pytest.Session) -> None:
        """Put what the workers of pytest-xdist measured into the one journal."""
        if hasattr(session.config, "workerinput"):
            return
        # Where no worker was, or none had a cell, there is nothing to gather and to import.
        if session.config.pluginmanager.hasplugin("dsession"):
            from harness.testing.items import gather

            gather(session.config)


@pytest.fixture
def _harness_cell(request: pytest.FixtureRequest) -> Cell | None:
    return getattr(request, "param", None)


@pytest.fixture
def harness_cell(
    request: pytest.FixtureRequest, _harness_cell: Cell | None, tmp_path: Path
) -> HarnessCell:
    """A cell of the test's matrix with the R and the Python that it has, in its sandbox.

    The test is skipped, with the reason, where the cell cannot exist or cannot be had here.
    """
    from harness.testing.cells import make_ready

    if _harness_cell is None:
        pytest.fail(
            "this test is in no cell: mark it with @pytest.mark.harness('matrix.yaml')",
            pytrace=False,
        )
    workshop = request.config.pluginmanager.get_plugin("harness-workshop")
    assert isinstance(workshop, _Workshop)
    return make_ready(_harness_cell, workshop.get(), tmp_path)


@pytest.fixture
def rscript(harness_cell: HarnessCell) -> Callable[..., Any]:
    """Run R code in the cell: ``rscript("cat(1 + 1)").stdout == "2"``.

    Code that ends badly fails the test with what it printed; ``check=False`` returns it instead.
    """
    return harness_cell.rscript


@pytest.fixture
def bridge(harness_cell: HarnessCell) -> str:
    """The version of the cell's bridge, as its R has it."""
    return harness_cell.bridge
