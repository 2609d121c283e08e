"""Locks: whether a cell can exist, and with which versions exactly."""

from __future__ import annotations

import hashlib
import platform
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from harness.errors import Unavailable, Unsatisfiable
from harness.model.environment import Lock
from harness.resolve.cuda import (
    FORBIDDEN_ON_CPU,
    exactly,
    has_cuda,
    runtime_of,
    satisfies,
    torch_backends,
)
from harness.resolve.explain import NoSolution
from harness.resolve.frameworks import CPU, Request, request
from harness.resolve.uv import Question, Unreached, compile_lock, sorted_requirements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.model.cell import Axes
    from harness.model.environment import Interpreter, PackageSources, Store

_FILE: Final = "requirements.lock"
_KIND: Final = "lock"
_ROUNDS: Final = 8
"""How many CPU builds of torch are ruled out, one by one, until a CUDA build is found."""


class Resolver:
    """Locks for cells; may be used by several threads.

    An answer is kept in the store and reused as long as it is there, so that a matrix
    without exact versions gives the same cells tomorrow; `harness cache --prune` lets go of
    it.  That no set of packages exists, or that an index is out of reach, is remembered for
    the life of this object only.

    Parameters
    ----------
    store
        Keeps the locks.
    sources
        Where packages come from.
    """

    def __init__(self, store: Store, sources: PackageSources) -> None:
        self._store = store
        self._sources = sources
        self._guard = threading.Lock()
        self._refused: dict[str, NoSolution | Unavailable] = {}
        self._pytorch_unreached: Unreached | None = None

    def cell(self, axes: Axes, interpreter: Interpreter, extra: Sequence[str] = ()) -> Lock:
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
            lock = self._cpu(wanted, interpreter)
            if has_cuda(lock):
                raise Unavailable(
                    f"no build of {wanted.label or 'these packages'} without CUDA for Python "
                    f"{interpreter.version} within reach: what the configured places have brings "
                    "CUDA libraries"
                )
            return lock
        if not wanted.uses:
            return self.lock(wanted.requirements, interpreter)
        return self._cuda(wanted, interpreter)

    def lock(
        self,
        requirements: Sequence[str],
        interpreter: Interpreter,
        *,
        constraints: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> Lock:
        """Return exact pins of ``requirements`` for exactly this interpreter.

        Parameters
        ----------
        constraints
            What may not be gone past, by packages that are not required for themselves.
        options
            Further options of uv, for the resolver and for the installer.

        Raises
        ------
        Unsatisfiable
            If no set of packages exists; ``detail`` has the resolver's account in full.
        Unavailable
            If an index is out of reach, or uv does not know the Python.
        """
        question = Question(
            requirements=sorted_requirements(requirements),
            constraints=sorted_requirements(constraints),
            options=tuple(options),
        )
        key = _key(question, interpreter, self._sources)
        with self._guard:
            refused = self._refused.get(key)
        if refused is not None:
            raise refused
        folder = self._store.ensure(
            _KIND,
            key,
            partial(self._write, key, question, interpreter),
            description=f"Python {interpreter.version}: {', '.join(question.requirements)}",
        )
        text = (folder / _FILE).read_text()
        return Lock(
            text=text,
            digest=_digest(text, interpreter.version, str(interpreter.executable)),
            options=question.options,
        )

    def _write(self, key: str, question: Question, interpreter: Interpreter, folder: Path) -> None:
        with self._guard:
            # Another thread may have asked while this one waited for the store's lock.
            refused = self._refused.get(key)
        if refused is not None:
            raise refused
        try:
            text = compile_lock(question, interpreter, self._sources)
        except (NoSolution, Unavailable) as error:
            with self._guard:
                self._refused[key] = error
            raise
        (folder / _FILE).write_text(text)

    def _cpu(self, wanted: Request, interpreter: Interpreter) -> Lock:
        """Resolve without any CUDA library, so that the 4.5 GB of them are never drawn in."""
        if "torch" not in wanted.uses:
            return self.lock(wanted.requirements, interpreter)
        try:
            return self.lock(wanted.requirements, interpreter, constraints=FORBIDDEN_ON_CPU)
        except NoSolution:
            # Is it the CPU build that is missing, or is there no build at all?  The second is
            # uv's own sentence, and the same here and on every machine.
            plain = self.lock(wanted.requirements, interpreter)
        error: NoSolution | Unavailable | None = None
        try:
            lock = self._from_pytorch(wanted, interpreter, "cpu")
            # Where indexes are switched off, uv does not ask PyTorch's either, and says nothing.
            if not has_cuda(lock):
                return lock
        except (NoSolution, Unavailable) as caught:
            error = caught
        torch = plain.versions.get("torch", wanted.torch or "")
        raise Unavailable(
            f"no CPU build of torch {torch} for Python {interpreter.version} within reach: "
            f"{_where_not(error)}"
        ) from error

    def _cuda(self, wanted: Request, interpreter: Interpreter) -> Lock:
        lock = self._any_cuda(wanted, interpreter)
        runtime = None if lock is None else runtime_of(lock)
        if lock is not None and satisfies(wanted.cuda, runtime):
            return lock
        if "torch" not in wanted.uses:
            return self._held_to(wanted, interpreter, runtime)
        return self._torch_index(wanted, interpreter, lock, runtime)

    def _held_to(self, wanted: Request, interpreter: Interpreter, runtime: str | None) -> Lock:
        """The framework with the CUDA asked for, where it does not bring that by itself."""
        # jax and tensorflow allow a range of CUDA versions and get the newest of it.
        with suppress(NoSolution):
            lock = self.lock(wanted.requirements, interpreter, constraints=exactly(wanted.cuda))
            if satisfies(wanted.cuda, runtime_of(lock)):
                return lock
        has = f"brings CUDA {runtime}" if runtime else "brings no CUDA"
        raise Unsatisfiable(
            f"{wanted.label} {has} and cannot be had with CUDA {wanted.cuda}; ask for another "
            "version of one of them"
        )

    def _any_cuda(self, wanted: Request, interpreter: Interpreter) -> Lock | None:
        """The configured places' build with CUDA, or ``None`` where they have none."""
        constraints: list[str] = []
        for _round in range(_ROUNDS):
            try:
                lock = self.lock(wanted.requirements, interpreter, constraints=constraints)
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

    def _from_pytorch(self, wanted: Request, interpreter: Interpreter, backend: str) -> Lock:
        """Resolve with PyTorch's own index, which is asked no more once it was out of reach."""
        with self._guard:
            unreached = self._pytorch_unreached
        if unreached is not None:
            raise unreached
        try:
            return self.lock(wanted.requirements, interpreter, options=("--torch-backend", backend))
        except Unreached as error:
            with self._guard:
                self._pytorch_unreached = error
            raise

    def _torch_index(
        self, wanted: Request, interpreter: Interpreter, lock: Lock | None, runtime: str | None
    ) -> Lock:
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
                found = self._from_pytorch(wanted, interpreter, backend)
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
            f"{interpreter.version} within reach: {because}"
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


def _key(question: Question, interpreter: Interpreter, sources: PackageSources) -> str:
    parts = (
        *question.requirements,
        "constraints",
        *question.constraints,
        "options",
        *question.options,
        interpreter.version,
        platform.machine(),
        platform.system(),
        sources.digest,
    )
    return _digest(*parts)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
