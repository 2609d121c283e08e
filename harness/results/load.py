"""Reads a folder of results, whatever state it is in."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.errors import FileFault
from harness.model.cell import is_folder_name
from harness.model.document import NEVER_RUN, SCHEMA, Results, missing
from harness.results.derive import Fold
from harness.results.locate import fault

JOURNAL = "journal.jsonl"
DOCUMENT = "results.json"
PACKED = "results.json.gz"
"""The same, compressed by ``gzip``: how results are kept in a repository."""
LARGEST: Final = 2**31
"""Bytes of a document, unpacked: a small file from a stranger can unpack to any size, and take no
room on the disk at all."""
LONGEST: Final = 2**29
"""Bytes of a journal's line: the longest that there can be is the plan of a million cells."""

# What a decoder raises on hostile input: a syntax fault, a text that is not UTF-8, numbers
# out of range, nesting without end.
_DECODE_FAULTS = (msgspec.MsgspecError, ValueError, RecursionError)


class NoRun(FileFault):
    """A journal that tells of no run: one ended before it had said what it runs."""


def load(folder: Path) -> Results:
    """Return the results in ``folder``, which may also be a results document itself.

    The journal counts where it tells of a run, because ``results.json`` can be older than
    it; a folder that holds ``results.json`` alone will do, also one that ``gzip`` has packed.
    Raises ``FileFault`` with the file, and the line where there is one, for all that can be
    wrong with them.
    """
    if _is_file(folder):
        return load_document(folder)
    journal, document = folder / JOURNAL, folder / DOCUMENT
    if not _is_file(document) and _is_file(folder / PACKED):
        document = folder / PACKED
    if _is_file(journal):
        try:
            return load_journal(journal)
        except NoRun:
            if not _is_file(document):
                raise
    if _is_file(document):
        return load_document(document)
    raise FileFault(
        str(folder),
        f"no results here: name a folder that holds {JOURNAL} or {DOCUMENT}, "
        "such as `harness run` writes",
    )


def load_journal(journal: Path) -> Results:
    """Return the results that ``journal`` tells of.  Raises ``FileFault``, `NoRun` among them."""
    fold = Fold()
    broken = None
    for number, event in read_events(journal):
        if event is None:
            # A line that a kill cut short costs that line alone.
            broken = broken or number
            continue
        try:
            fold.feed(event)
        except _DECODE_FAULTS as error:
            message, _ = fault(b"", str(error))
            raise FileFault(str(journal), f"not a journal's line: {message}", line=number) from None
    if not fold.runs:
        raise NoRun(
            str(journal),
            "this journal tells of no run; start one with `harness run`",
            line=broken,
        )
    return _checked(fold.results(), journal)


def load_document(file: Path) -> Results:
    """Return the results document in ``file``.  Raises ``FileFault``."""
    try:
        data = _unpacked(file) if file.suffix == ".gz" else _whole(file)
    except (OSError, ValueError, EOFError, zlib.error, MemoryError) as error:
        raise FileFault(str(file), f"cannot be read: {_reason(error)}") from None
    try:
        version = msgspec.json.decode(data, type=_Version).schema
        if version > SCHEMA:
            raise _newer(file, version, 1)
        results = msgspec.json.decode(data, type=Results)
    except MemoryError as error:
        raise FileFault(str(file), f"cannot be read: {_reason(error)}") from None
    except _DECODE_FAULTS as error:
        message, line = fault(data, str(error))
        raise FileFault(str(file), f"not a results document: {message}", line=line) from None
    return _checked(_completed(results, file), file)


def read_events(journal: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield each line of ``journal`` with its number, from 1; ``None`` for a broken one.

    Raises ``FileFault`` where the file cannot be read, has a line that no harness writes, or was
    written by a newer one.
    """
    try:
        with journal.open("rb") as stream:
            for number in count(1):
                line = stream.readline(LONGEST + 1)
                if not line:
                    return
                if len(line) > LONGEST:
                    raise FileFault(
                        str(journal),
                        f"is longer than {LONGEST // 2**20} MiB here, which no line of a journal "
                        "is; remove it",
                        line=number,
                    )
                if not line.strip():
                    continue
                event = _event(line)
                # Of a harness that wrote none, it is what this one reads.
                version = None if event is None else event.get("schema")
                if isinstance(version, int) and version > SCHEMA:
                    raise _newer(journal, version, number)
                yield number, event
    except (OSError, MemoryError) as error:
        raise FileFault(str(journal), f"cannot be read: {_reason(error)}") from None


def _newer(file: Path, version: int, line: int) -> FileFault:
    return FileFault(
        str(file),
        f"written with version {version} of the schema, and this harness reads up to {SCHEMA}: "
        "update the harness",
        line=line,
    )


class _Version(msgspec.Struct):
    schema: int


def _whole(file: Path) -> bytes:
    with file.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size > LARGEST:
            raise ValueError(f"it is larger than {LARGEST // 2**20} MiB")
        return stream.read()


def _unpacked(file: Path) -> bytes:
    with gzip.open(file) as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"unpacked it is larger than {LARGEST // 2**20} MiB")
    return data


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = msgspec.json.decode(line)
    except _DECODE_FAULTS:
        return None
    return event if isinstance(event, dict) else None


def _completed(results: Results, file: Path) -> Results:
    """Return ``results`` with a record for every planned cell, and every cell planned."""
    ids = [record.id for record in results.cells]
    known = set(ids)
    if len(known) < len(ids):
        twice = next(cell for cell in ids if ids.count(cell) > 1)
        raise FileFault(str(file), f"the cell {twice!r} is there more than once; keep one")
    planned = set(results.planned)
    absent = tuple(cell for cell in dict.fromkeys(results.planned) if cell not in known)
    unplanned = tuple(cell for cell in ids if cell not in planned)
    if not absent and not unplanned:
        return results
    return msgspec.structs.replace(
        results,
        planned=results.planned + unplanned,
        cells=results.cells + tuple(missing(c, {}, NEVER_RUN) for c in absent),
    )


def _checked(results: Results, file: Path) -> Results:
    """Return ``results``; raise ``FileFault`` where a name in it leads out of its folder."""
    own, others = (one.id for one in results.cells), (one.id for one in results.others)
    for name in (*results.planned, *own, *others):
        if not is_folder_name(name):
            raise FileFault(str(file), f"{name[:100]!r} is the name of no cell; correct it")
    for record in results.cells:
        for trial in record.trials:
            if trial.logs and not all(map(is_folder_name, trial.logs.split("/"))):
                raise FileFault(
                    str(file),
                    f"the logs of a remedy for {record.id} are in {trial.logs[:100]!r}, which is "
                    "no folder below the results; correct it",
                )
    return results


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    return (isinstance(error, OSError) and error.strerror) or str(error)
