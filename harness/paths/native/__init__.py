"""The control: Python alone, with no R and no bridge."""

from __future__ import annotations

from pathlib import Path

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.paths.base import Launch


class Native:
    """What every other path is compared with."""

    name = "native"
    uses_r = False
    bridge_package: str | None = None
    r_packages: tuple[str, ...] = ()
    transports: tuple[str, ...] = ()
    probes: frozenset[str] = frozenset(
        {"init", "call", "callback", "convert", "error", "train", "transfer"}
    )
    files = Path(__file__).parent

    def requirements(self, axes: Axes) -> tuple[str, ...]:  # noqa: ARG002
        """Return the Python packages that the path needs beside the framework: none."""
        return ()

    def launch(self, axes: Axes, provisioned: Provisioned, files: Path) -> Launch:  # noqa: ARG002
        """Run the driver with the cell's Python."""
        return Launch(argv=(str(provisioned.python.executable), str(files / "driver.py")))

    def why_not(self, probe: str, axes: Axes) -> str | None:  # noqa: ARG002
        """Say why the path cannot do ``probe``."""
        if probe in self.probes:
            return None
        return f"the path native has no second language, which the probe {probe} needs"


PATH = Native()
