"""R holds Python in its own process, by the R package reticulate."""

from __future__ import annotations

from pathlib import Path

from harness.errors import Unavailable
from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.paths.base import Launch, Needs

_TESTED_WITH = ("docutils", "pandas", "psutil", "scipy", "tabulate", "wrapt")
"""What reticulate's own tests import, beside what draws: without it they skip themselves."""


class Reticulate:
    """The framework is driven from R, as an R user writes it."""

    name = "reticulate"
    uses_r = True
    bridge_package: str | None = "reticulate"
    r_packages: tuple[str, ...] = ("reticulate",)
    transports: tuple[str, ...] = ()
    probes: frozenset[str] = frozenset(
        {"init", "call", "callback", "convert", "error", "transfer", "train", "seed", "upstream"}
    )
    files = Path(__file__).parent

    def requirements(self, axes: Axes) -> tuple[str, ...]:  # noqa: ARG002
        """Return the Python packages that the path needs beside the framework: none."""
        return ()

    def needs(self, probe: str, axes: Axes) -> Needs:  # noqa: ARG002
        """Return what a probe needs beyond the path: reticulate's own tests lie in its source."""
        if probe != "upstream":
            return Needs()
        return Needs(requirements=_TESTED_WITH, r_packages=("testthat",), bridge_source=True)

    def launch(self, axes: Axes, provisioned: Provisioned, files: Path) -> Launch:
        """Run the driver with the cell's R, with no profile of the user's."""
        if provisioned.r is None:
            raise Unavailable(f"the path reticulate needs an R, and there is none for {axes.r}")
        rscript = str(provisioned.r.rscript)
        return Launch(argv=(rscript, "--no-init-file", str(files / "driver.R")))

    def why_not(self, probe: str, axes: Axes) -> str | None:
        """Say why the path cannot do ``probe`` in a cell."""
        if probe not in self.probes:
            return f"the path reticulate has no driver for the probe {probe}"
        framework = axes.framework
        if framework is not None and not (self.files / f"{framework.name}.R").is_file():
            return f"the path reticulate has no R code that drives {framework.name}"
        return None


PATH = Reticulate()
