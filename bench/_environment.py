"""Makes one environment as ``harness run`` does for a cell: resolve, lock, make.

What a machine is asked once, which interpreters it has, is kept beside the environments.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from harness.provision.pipconfig import package_sources
from harness.provision.python.environment import provide_environment
from harness.provision.python.interpreters import Interpreters
from harness.provision.store import FolderStore
from harness.resolve import Resolver


def main(known: Path, folder: Path, bytecode: str, *requirements: str) -> None:
    """Make the environment in ``folder``; the interpreters are known from ``known``.

    ``bytecode`` is ``compiled``, as a run has it, or ``not-compiled``.
    """
    with FolderStore(known) as machine, FolderStore(folder) as store:
        interpreter = Interpreters(machine, fetch=False).find(platform.python_version())
        sources = package_sources()
        lock = Resolver(store, sources).lock(requirements, interpreter)
        provide_environment(
            store, interpreter, lock, sources, compile_bytecode=bytecode == "compiled"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
