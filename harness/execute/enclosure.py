"""What a started process tree is to the sandbox, whatever holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    import subprocess

LEAVE_TAKING_S: Final = 0.3
"""How long processes may outlive the command before they are ended and counted.

Helpers that notice the end of the command (multiprocessing's resource tracker) need a
moment to leave by themselves; to count them as left behind would be to accuse every cell.
"""
PATIENCE_S: Final = 10.0
"""How long a wrapper may take over what it does by itself; past that it is ended."""


class Ending(NamedTuple):
    """How the command of a process tree ended, when nothing of the tree is left.

    Of ``code`` and ``signal`` at most one is known; where the command itself never ran,
    ``started`` is false and ``Enclosure.why_not`` has the reason.
    """

    code: int | None = None
    signal: int | None = None
    leftovers: int = 0
    started: bool = True


class Enclosure(Protocol):
    """A process tree and the program around it that lets nothing out."""

    process: subprocess.Popen[bytes]
    """The wrapper, whose output streams are those of the command."""

    def alarm(self) -> int | None:
        """Return a descriptor that can be read as soon as the command has ended, if known."""
        ...

    def ended(self) -> bool:
        """Tell whether the command has ended, or never started."""
        ...

    def members(self) -> list[int]:
        """Return the command and all below it, and what it left behind; no wrapper."""
        ...

    def kill(self) -> None:
        """End the whole tree at once, with SIGKILL; may be called twice."""
        ...

    def finish(self) -> Ending:
        """End what is left after the command, wait until all is gone, and say how it ended."""
        ...

    def why_not(self) -> str:
        """Say in a sentence why the command could not be started; all output must be kept."""
        ...

    def close(self) -> None:
        """Let go of every descriptor; the tree must have ended."""
        ...
