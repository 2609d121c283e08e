"""Locks: whether a cell can exist, and with which versions exactly."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from harness.errors import Unavailable, Unsatisfiable
from harness.model.cuda import runtime_of, satisfies
from harness.resolve.asking import Answered, Asker
from harness.resolve.cuda import FORBIDDEN_ON_CPU, exactly, has_cuda, torch_backends
from harness.resolve.explain import NoSolution
from harness.resolve.frameworks import CPU, Request, request
from harness.resolve.python import Python
from harness.resolve.uv import BACKEND, Question, Unreached, sorted_requirements

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.model.cell import Axes
    from harness.model.environment import PackageSources, Store

_ROUNDS: Final = 8
"""How many CPU builds of torch are ruled out, one by one, until a CUDA build is found."""


class Resolver:
    """Locks for cells; may be used by several threads, which ask each question once.

    Every answer is kept in the store.  What holds for exact versions is kept for good; what a
    new release can change, and that no set of packages exists, is asked again after a day.
    Where no index can be reached, an answer serves however old it is, and says so.  That an
    index is out of reach is remembered for the life of this object only.

    Parameters
    ----------
    store
        Keeps the answers.
    sources
        Where packages come from.
    clock
        Returns the seconds since the epoch.
    """

    def __init__(
        self, store: Store, sources: PackageSources, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._asker = Asker(store, sources, clock)
        self._pytorch_turn = threading.Lock()
        self._pytorch_reached = False
        self._pytorch_unreached: Unreached | None = None

    @property
    def asked(self) -> int:
        """How many questions were put to uv: those that no kept answer settled."""
        return self._asker.asked

    def cell(self, axes: Axes, python: Python, extra: Sequence[str] = ()) -> Answered:
        """Return what is to be installed for a cell.

        Parameters
        ----------
        axes
            The cell's; ``framework``, ``cuda`` and ``pins`` are looked at.
        extra
            Further requirements: those of the path, and its bridge where that is for Python.

        Raises
        ------
        Unsatisfiable
            If no set of packages exists.
        Unavailable
            If a build of the framework, or an index, is out of reach.
        UsageError
            If the framework or a backend is not known.
        """
        wanted = request(axes, extra)
        if wanted.cuda == CPU:
            lock = self._cpu(wanted, python)
            if has_cuda(lock):
                raise Unavailable(
                    f"no build of {wanted.label or 'these packages'} without CUDA for Python "
                    f"{python.version} within reach: what the configured places have brings "
                    "CUDA libraries"
                )
            return lock
        if not wanted.uses:
            return self.lock(wanted.requirements, python)
        return self._cuda(wanted, python)

    def lock(
        self,
        requirements: Sequence[str],
        python: Python,
        *,
        constraints: Sequence[str] = (),
        options: Sequence[str] = (),
        explained: bool = True,
    ) -> Answered:
        """Return exact pins of ``requirements`` for exactly this Python.

        Parameters
        ----------
        constraints
            What may not be gone past, by packages that are not required for themselves.
        options
            Further options of uv, for the resolver and for the installer.
        explained
            Look for the fewest requirements that are in conflict, which takes questions more.

        Raises
        ------
        Unsatisfiable
            If no set of packages exists; ``detail`` has the resolver's account in full.
        Unavailable
            If an index is out of reach (``Unreached``), or uv does not know the Python.
        """
        question = Question(
            requirements=sorted_requirements(requirements),
            constraints=sorted_requirements(constraints),
            options=tuple(options),
        )
        return self._asker.lock(question, python, explained=explained)

    def _cpu(self, wanted: Request, python: Python) -> Answered:
        """Resolve without any CUDA library, so that the 4.5 GB of them are never drawn in."""
        if "torch" not in wanted.uses:
            return self.lock(wanted.requirements, python)
        try:
            return self.lock(
                wanted.requirements, python, constraints=FORBIDDEN_ON_CPU, explained=False
            )
        except NoSolution:
            # Is it the CPU build that is missing, or is there no build at all?  The second is
            # uv's own sentence, and the same here and on every machine.
            plain = self.lock(wanted.requirements, python)
        error: NoSolution | Unavailable | None = None
        try:
            lock = self._from_pytorch(wanted, python, "cpu")
            # Where indexes are switched off, uv does not ask PyTorch's either, and says nothing.
            if not has_cuda(lock):
                return lock
        except (NoSolution, Unavailable) as caught:
            error = caught
        torch = plain.versions.get("torch", wanted.torch or "")
        raise Unavailable(
            f"no CPU build of torch {torch} for Python {python.version} within reach: "
            f"{_where_not(error)}"
        ) from error

    def _cuda(self, wanted: Request, python: Python) -> Answered:
        lock = self._any_cuda(wanted, python)
        runtime = None if lock is None else runtime_of(lock)
        if lock is not None and satisfies(wanted.cuda, runtime):
            return lock
        if "torch" not in wanted.uses:
            return self._held_to(wanted, python, runtime)
        return self._torch_index(wanted, python, lock, runtime)

    def _held_to(self, wanted: Request, python: Python, runtime: str | None) -> Answered:
        """The framework with the CUDA asked for, where it does not bring that by itself."""
        # jax and tensorflow allow a range of CUDA versions and get the newest of it.
        with suppress(NoSolution):
            lock = self.lock(wanted.requirements, python, constraints=exactly(wanted.cuda))
            if satisfies(wanted.cuda, runtime_of(lock)):
                return lock
        has = f"brings CUDA {runtime}" if runtime else "brings no CUDA"
        raise Unsatisfiable(
            f"{wanted.label} {has} and cannot be had with CUDA {wanted.cuda}; ask for another "
            "version of one of them"
        )

    def _any_cuda(self, wanted: Request, python: Python) -> Answered | None:
        """The configured places' build with CUDA, or ``None`` where they have none."""
        constraints: list[str] = []
        for _round in range(_ROUNDS):
            try:
                lock = self.lock(wanted.requirements, python, constraints=constraints)
            except NoSolution:
                if constraints:
                    return None
                raise
            torch = lock.versions.get("torch", "")
            if "torch" not in wanted.uses or not torch.endswith("+cpu"):
                return lock
            # Among equal versions, the one with a label counts as the newer, so a folder of
            # CPU wheels comes before the index; it must be ruled out by name.
            constraints.append(f"torch!={torch}")
        return None

    def _from_pytorch(self, wanted: Request, python: Python, backend: str) -> Answered:
        """Resolve with PyTorch's own index, which is asked no more once it was out of reach."""
        ask = partial(
            self.lock, wanted.requirements, python, options=(BACKEND, backend), explained=False
        )
        if self._pytorch_reached:
            return ask()
        # One finds out for all: to find nobody there takes seconds.
        with self._pytorch_turn:
            if self._pytorch_unreached is not None:
                raise self._pytorch_unreached
            try:
                lock = ask()
            except Unreached as error:
                self._pytorch_unreached = error
                raise
            except NoSolution:
                self._pytorch_reached = True
                raise
            self._pytorch_reached = True
            return lock

    def _torch_index(
        self, wanted: Request, python: Python, lock: Answered | None, runtime: str | None
    ) -> Answered:
        torch = (lock.versions.get("torch") if lock else None) or wanted.torch
        backends = torch_backends(wanted.cuda, torch)
        if not backends:
            raise Unsatisfiable(
                f"PyTorch has no build of torch {torch or ''} for CUDA {wanted.cuda}".replace(
                    "  ", " "
                )
            )
        error: NoSolution | Unavailable | None = None
        for backend in backends:
            try:
                found = self._from_pytorch(wanted, python, backend)
            except (NoSolution, Unavailable) as caught:
                error = caught
                if isinstance(caught, Unavailable):
                    break
            else:
                if satisfies(wanted.cuda, runtime_of(found)):
                    return found
        have = f"have it for CUDA {runtime}" if runtime else "have none"
        because = _where_not(error, have)
        raise Unavailable(
            f"no build of torch {torch or ''} for CUDA {wanted.cuda} and Python "
            f"{python.version} within reach: {because}"
        ) from error


def _where_not(error: NoSolution | Unavailable | None, have: str = "have none") -> str:
    if error is None:
        return f"the configured indexes and folders {have}, and no other index brought one"
    if isinstance(error, NoSolution):
        return f"PyTorch's own package index has no fitting set either ({error})"
    if isinstance(error, Unreached):
        return (
            f"the configured indexes and folders {have}, and PyTorch's own package index could "
            "not be reached"
        )
    return str(error)
