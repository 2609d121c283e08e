"""R calls a Python server that holds the framework, or a Python client calls an R server."""

from __future__ import annotations

from pathlib import Path

from harness.errors import Unavailable
from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.paths.base import Launch

_REQUIREMENTS = {
    "socket": (),
    "zmq": ("pyzmq",),
    "http": ("starlette", "uvicorn"),
    "rserve": ("pyRserve",),
}
"""Python packages by transport."""


class Rpc:
    """Two processes that talk: on loopback or a Unix socket, and only to one another."""

    name = "rpc"
    uses_r = True
    crosses_processes = True
    # Each transport has a package of its own, and `socket` none: no one axis fits them.
    bridge_package: str | None = None
    r_packages: tuple[str, ...] = ("Rserve", "curl", "pbdZMQ")
    transports: tuple[str, ...] = tuple(_REQUIREMENTS)
    probes: frozenset[str] = frozenset(
        {"init", "train", "call", "callback", "convert", "error", "transfer"}
    )
    files = Path(__file__).parent

    def requirements(self, axes: Axes) -> tuple[str, ...]:
        """Return the Python packages of the cell's transport."""
        return _REQUIREMENTS.get(axes.transport or "", ())

    def launch(self, axes: Axes, provisioned: Provisioned, files: Path) -> Launch:
        """Run the driver with the cell's R, with no profile of the user's."""
        if provisioned.r is None:
            raise Unavailable(f"the path rpc needs an R, and there is none for {axes.r}")
        rscript = str(provisioned.r.rscript)
        return Launch(argv=(rscript, "--no-init-file", str(files / "driver.R")))

    def why_not(self, probe: str, axes: Axes) -> str | None:
        """Say why the path cannot do ``probe``, or knows no such transport."""
        if axes.transport not in _REQUIREMENTS:
            return f"the path rpc knows the transports {', '.join(_REQUIREMENTS)} alone"
        if probe in self.probes:
            return None
        return f"the path rpc has no driver for the probe {probe}"


PATH = Rpc()
