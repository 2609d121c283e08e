"""What a Dask worker does with an order; the rest of its machine is asked by ``perform``.

Whatever becomes of an order goes back in a parcel: an exception would look like one of Dask's.
"""

from __future__ import annotations

import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from harness import __version__
from harness.errors import HarnessError, disk_fault
from harness.executors.base import Order, Perform, Watch
from harness.executors.files import pack
from harness.folders import remove_tree
from harness.model.document import Machine
from harness.model.record import CellRecord

_LOOK_S: Final = 0.5
_ELSEWHERE: Final = ", or start the worker with another --local-directory"


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker sends back: an answer with its files, or why there is none."""

    harness: str = __version__
    """Of what runs on the worker."""
    record: CellRecord | None = None
    machine: Machine | None = None
    files: dict[str, bytes] = {}
    fault: str = ""
    """What the worker's machine could not do."""
    defect: str = ""
    """What went wrong with the harness itself there."""


# Made here, by one thread: where several are the first to decode a type at once, msgspec 0.22
# reads what it has half made, and the process dies.
ORDERS: Final = msgspec.json.Decoder(Order)
PARCELS: Final = msgspec.json.Decoder(Parcel)


def version_here() -> str:
    """Return the version of the harness; called on every worker."""
    return __version__


def work(perform: Perform, order: bytes, topic: str) -> bytes:
    """Carry out an order on a worker, and return a parcel; called by Dask in a thread of its own.

    The cell is ended where the client cancels the order or is gone.
    """
    from distributed import get_worker

    worker = get_worker()
    key = str(worker.get_current_task())
    worker.log_event(topic, {"key": key, "worker": worker.address})
    try:
        place = Path(tempfile.mkdtemp(prefix="harness-", dir=worker.local_directory))
    except OSError as error:
        return msgspec.json.encode(
            Parcel(
                fault=f"{worker.local_directory}: cannot be written ({error.strerror or error}); "
                "free space, or start the worker with another --local-directory"
            )
        )
    cancel = threading.Event()
    ended = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(worker, key, cancel, ended), name="harness-watch", daemon=True
    )
    watcher.start()
    watch = Watch(
        cancel=cancel,
        on_phase=lambda phase: worker.log_event(topic, {"key": key, "phase": phase}),
    )
    try:
        return carry_out(perform, order, place / "cell", watch)
    finally:
        ended.set()
        watcher.join()
        with suppress(OSError):
            remove_tree(place)


def carry_out(perform: Perform, order: bytes, folder: Path, watch: Watch) -> bytes:
    """Carry out an order that came as JSON, and return a parcel, whatever becomes of it."""
    try:
        answer = perform(ORDERS.decode(order), folder, watch)
        return msgspec.json.encode(
            Parcel(
                record=answer.record,
                machine=answer.machine,
                files=pack(folder) if folder.is_dir() else {},
            )
        )
    except HarnessError as error:
        return msgspec.json.encode(Parcel(fault=_text(str(error))))
    except OSError as error:
        # Whoever fails at once is asked most: a disk that fails must not pass for the cell's fault.
        fault = disk_fault(error, str(folder), _ELSEWHERE)
        said = _defect(error) if fault is None else Parcel(fault=_text(str(fault)))
        return msgspec.json.encode(said)
    except Exception as error:  # noqa: BLE001 - told as what it is where the run was started
        return msgspec.json.encode(_defect(error))


def _defect(error: Exception) -> Parcel:
    return Parcel(defect=_text(f"{type(error).__name__}: {error}"))


def _text(said: str) -> str:
    """Return a message as JSON can hold it: the name of a file in it may be no UTF-8."""
    return said.encode("utf-8", "backslashreplace").decode()


def _watch(worker: Any, key: str, cancel: threading.Event, ended: threading.Event) -> None:
    """Set ``cancel`` when nobody wants the result any more."""
    while not ended.wait(_LOOK_S):
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            cancel.set()
            return
