"""R calls a Python script with ``system2()``; data and results go through files."""

from __future__ import annotations

from pathlib import Path

from harness.errors import Unavailable
from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.paths.base import Launch


class System:
    """No package is needed, and Python is a process of its own."""

    name = "system"
    uses_r = True
    crosses_processes = True
    bridge_package: str | None = None
    r_packages: tuple[str, ...] = ()
    transports: tuple[str, ...] = ()
    probes: frozenset[str] = frozenset(
        {"init", "call", "convert", "error", "transfer", "train", "seed"}
    )
    files = Path(__file__).parent

    def requirements(self, axes: Axes) -> tuple[str, ...]:  # noqa: ARG002
        """Return the Python packages that the path needs beside the framework: none."""
        return ()

    def launch(self, axes: Axes, provisioned: Provisioned, files: Path) -> Launch:
        """Run the driver with the cell's R, with no profile of the user's."""
        if provisioned.r is None:
            raise Unavailable(f"the path system needs an R, and there is none for {axes.r}")
        rscript = str(provisioned.r.rscript)
        return Launch(argv=(rscript, "--no-init-file", str(files / "driver.R")))

    def why_not(self, probe: str, axes: Axes) -> str | None:  # noqa: ARG002
        """Say why the path cannot do ``probe``."""
        if probe in self.probes:
            return None
        if probe == "callback":
            return "Python is another process, which R starts and waits for: nothing can call R"
        return f"the path system has no driver for the probe {probe}"


PATH = System()
