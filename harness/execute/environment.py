"""The environment variables of a cell: an allow list, never the caller's own set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSED_ON: Final = frozenset({"LANG", "LANGUAGE", "TZ", "CUDA_VISIBLE_DEVICES"})
"""Variables that a cell takes from the caller, beside every ``LC_*``.

``CUDA_VISIBLE_DEVICES`` says which device the caller was lent: to ignore it would be to
take somebody else's.
"""

FIXED: Final[Mapping[str, str]] = {
    "TERM": "dumb",
    # One thread each: the loss curves of two cells can only be compared where the order of
    # floating-point sums is the same, and cells run side by side.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "PYTHONHASHSEED": "0",
    # Environments are bound read-only, so that trying to write byte code costs time for nothing.
    "PYTHONDONTWRITEBYTECODE": "1",
    # A package of the user's own would be read as if the cell had it.
    "PYTHONNOUSERSITE": "1",
}
"""Variables that are the same in every cell."""


def base_environment(caller: Mapping[str, str]) -> dict[str, str]:
    """Return what every cell gets; ``PATH`` and the path's own variables are added by others.

    Parameters
    ----------
    caller
        The caller's environment (``os.environ``).  Only ``PASSED_ON`` and ``LC_*`` are read
        from it, so no token, proxy or library path reaches a cell.
    """
    passed = {
        name: value for name, value in caller.items() if name in PASSED_ON or name.startswith("LC_")
    }
    # Without any locale R falls back to C and escapes every letter beyond ASCII.
    return {"LANG": "C.UTF-8", **passed, **FIXED}
