"""R that is installed on this machine, by what it says when it is run."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import Unavailable
from harness.model.environment import RToolchain, Store
from harness.provision.r.provider import Offer, RProvider
from harness.provision.r.readback import Readback, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_ROOT: Final = Path("/")
_NUMBER: Final = re.compile(r"\d+")
_CONDA: Final = ("miniconda3", "miniforge3", "mambaforge", "anaconda3", "micromamba")


class Machine:
    """Provides R of this machine.

    Parameters
    ----------
    environ
        The environment; that of this process by default.
    base
        The folder that the machine's own folders lie in.
    """

    name = "machine"
    rank = 20

    def __init__(self, environ: Mapping[str, str] | None = None, base: Path = _ROOT) -> None:
        self._environ = environ
        self._base = base
        self._guard = threading.Lock()
        self._said: dict[Path, Readback | str] = {}

    def versions(self) -> tuple[Offer, ...]:
        """Every R that runs; the first is what ``r: system`` names."""
        offers = []
        environ = os.environ if self._environ is None else self._environ
        for rscript in rscripts(environ, self._base):
            said = self._ask(rscript)
            if isinstance(said, Readback):
                offers.append(Offer(version=said.version, description=str(rscript), system=True))
        return tuple(offers)

    def provide(
        self,
        offer: Offer,
        *,
        store: Store,  # noqa: ARG002 - nothing is made here
        packages: Sequence[str] = (),
        notify: Callable[[str], None],  # noqa: ARG002
    ) -> RToolchain:
        """Return the R as it is; see :class:`RProvider`."""
        rscript = Path(offer.description)
        said = self._ask(rscript)
        if isinstance(said, str):
            raise Unavailable(f"{rscript} does not run: {said}")
        absent = [name for name in packages if name not in said.packages]
        if absent:
            quoted = ", ".join(f'"{name}"' for name in absent)
            raise Unavailable(
                f"R {said.version} of this machine ({rscript}) has no package "
                f"{', '.join(absent)}: run {rscript} -e 'install.packages(c({quoted}))'"
            )
        stamp = f"{rscript}\0{said.version}\0{sorted(said.packages.items())}"
        return RToolchain(
            version=said.version,
            rscript=rscript,
            root=None,
            packages=said.packages,
            source="machine",
            digest=hashlib.sha256(stamp.encode()).hexdigest(),
        )

    def _ask(self, rscript: Path) -> Readback | str:
        with self._guard:
            if rscript not in self._said:
                environ = os.environ if self._environ is None else self._environ
                # R_HOME of another R makes Rscript start that one: each is asked without it.
                env = {name: value for name, value in environ.items() if name != "R_HOME"}
                self._said[rscript] = ask([rscript], env)
            return self._said[rscript]


def rscripts(environ: Mapping[str, str], base: Path = _ROOT) -> tuple[Path, ...]:
    """Every ``Rscript``, each once by its real path, in the order in which it would be taken."""
    found: dict[Path, Path] = {}
    for folder in _folders(environ, base):
        path = folder / "Rscript"
        if path.is_file() and os.access(path, os.X_OK):
            found.setdefault(path.resolve(), path.absolute())
    return tuple(found.values())


def _folders(environ: Mapping[str, str], base: Path) -> Iterator[Path]:
    home = Path(environ.get("HOME") or Path.home())
    for part in environ.get("PATH", "").split(os.pathsep):
        if part and Path(part).is_absolute():
            yield Path(part)
    if named := environ.get("R_HOME"):
        yield Path(named) / "bin"
    yield base / "usr" / "bin"
    # rig's versions, and those of R's own installer for macOS.
    yield from _newest_first(base.glob("opt/R/*/bin"))
    yield from _newest_first(base.glob("Library/Frameworks/R.framework/Versions/*/Resources/bin"))
    yield home / ".local" / "bin"
    for brew in ("opt/homebrew", "usr/local", "home/linuxbrew/.linuxbrew"):
        yield base / brew / "bin"
    for name in ("CONDA_PREFIX", "MAMBA_ROOT_PREFIX"):
        if named := environ.get(name):
            yield Path(named) / "bin"
            yield from sorted(Path(named).glob("envs/*/bin"))
    for conda in (*(home / name for name in _CONDA), base / "opt/conda"):
        yield conda / "bin"
        yield from sorted(conda.glob("envs/*/bin"))


def _newest_first(folders: Iterable[Path]) -> list[Path]:
    """Sort by the numbers in a path: R 4.10 came after R 4.9."""

    def numbers(path: Path) -> tuple[list[int], str]:
        return [int(number) for number in _NUMBER.findall(str(path))], str(path)

    return sorted(folders, key=numbers, reverse=True)


PROVIDER: RProvider = Machine()
