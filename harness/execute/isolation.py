"""What this machine can do to keep a cell apart from everything else."""

from __future__ import annotations

import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from harness.execute.mounts import MountTools
from harness.kernel import without_namespaces

NAMESPACES: Final = ("--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL")
_PROBE: Final = ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")  # noqa: S108
_PATIENCE_S: Final = 20.0
_TRIALS: Final = 6
"""Where it is killed: that is by somebody else, and says nothing of what the program can do."""


@dataclass(frozen=True)
class Isolation:
    """How cells are held on this machine.

    Parameters
    ----------
    bubblewrap
        The program; ``None`` where cells run without namespaces, under a supervisor that
        ends every process they leave behind but cannot take the network from them.
    why
        Why there are no namespaces, as the end of a sentence; empty where there are.
    tools
        What the program's version offers.
    """

    bubblewrap: Path | None
    why: str = ""
    tools: MountTools = field(default_factory=MountTools)


_KILLED: Final = frozenset({-signal.SIGKILL, 128 + signal.SIGKILL})


@cache
def detect() -> Isolation:
    """Find out, once a process, whether bubblewrap is here and can make namespaces.

    To be installed is not enough: in a container, or with a kernel that keeps namespaces
    from ordinary users, bubblewrap ends with an error, which is then the reason.
    """
    found = shutil.which("bwrap")
    if found is None:
        return Isolation(None, "bubblewrap is not installed (apt-get install bubblewrap)")
    program = Path(found).resolve()
    try:
        if program.stat().st_mode & stat.S_ISUID:
            # It is built of other processes then than ``bubblewrap.py`` knows.
            return Isolation(None, f"{program} is installed setuid root")
        trial = _ask(program, *NAMESPACES, *_PROBE, "true")
        offered = _ask(program, "--help")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Isolation(None, f"bubblewrap cannot be run: {error}")
    if trial.returncode in _KILLED:
        return Isolation(None, "bubblewrap cannot be tried here: it is killed each time")
    if trial.returncode != 0:
        said = (trial.stdout.strip().splitlines() or ["no reason given"])[-1]
        why = f" ({hint})" if (hint := without_namespaces()) else ""
        return Isolation(None, f"bubblewrap cannot make namespaces here: {said}{why}")
    tools = MountTools(sizes="--size " in offered.stdout, modes="--perms " in offered.stdout)
    return Isolation(program, tools=tools)


def _ask(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    for _ in range(_TRIALS - 1):
        told = _ask_once(program, *arguments)
        if told.returncode not in _KILLED:
            return told
    return _ask_once(program, *arguments)


def _ask_once(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_PATIENCE_S,
        check=False,
    )
