"""The pages of the causes: what each means, how it shows, what helps, and which cells had it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from harness.causes import Catalogue, load_catalogue
from harness.causes.entries import Cause, RemedyEntry
from harness.model.record import CellRecord, Trial
from harness.report.base import File
from harness.report.view import reason
from harness.report.words import count
from harness.site.columns import plain
from harness.site.frame import Frame
from harness.site.numbers import Number
from harness.site.texts import texts

_MESSAGES = 6


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a remedy: in how many of the cells in which it was tried it helped."""

    words: str
    kind: str
    helped: Number | None
    cells: tuple[str, ...]


def causes(frame: Frame) -> Iterator[File]:
    """Yield the page of each cause of the catalogue, and the list of all."""
    catalogue = load_catalogue()
    cells = _cells(frame.cells.records)

    def line(cause: Cause) -> dict[str, Any]:
        return _line(cause, cells.get(cause.id, []), frame)

    groups = dict.fromkeys(cause.group for cause in catalogue.causes)
    yield frame.page(
        "causes/index.html",
        "causes.html",
        "causes",
        "Causes of failures",
        groups=[
            (
                group,
                [line(cause) for cause in catalogue.causes if cause.group == group],
            )
            for group in groups
        ],
        total=len(catalogue.causes),
        seen=[line(cause) for cause in catalogue.causes if cause.id in cells],
        unknown=_unknown(catalogue, cells),
    )
    for cause in catalogue.causes:
        yield _page(cause, cells.get(cause.id, []), frame)


def _cells(records: Iterable[CellRecord]) -> Mapping[str, list[CellRecord]]:
    found: dict[str, list[CellRecord]] = {}
    for record in records:
        if record.cause is not None:
            found.setdefault(record.cause, []).append(record)
    return found


def _unknown(catalogue: Catalogue, cells: Mapping[str, list[CellRecord]]) -> list[str]:
    """Return causes that results name and this catalogue does not know."""
    return sorted(set(cells) - {cause.id for cause in catalogue.causes})


def _line(cause: Cause, mine: list[CellRecord], frame: Frame) -> dict[str, Any]:
    number = count(len(mine), "cell")
    return {
        "id": cause.id,
        "means": plain(cause.means),
        "cells": frame.of(number, [record.id for record in mine]) if mine else None,
    }


def _page(cause: Cause, records: list[CellRecord], frame: Frame) -> File:
    means = plain(cause.means)
    messages = list(dict.fromkeys(reason(record) for record in records))
    return frame.page(
        f"causes/{cause.id}.html",
        "cause.html",
        "causes",
        means[:1].upper() + means[1:],
        description=f"{means}. {plain(cause.why)}"[:300],
        cause=cause,
        means=means[:1].upper() + means[1:],
        why=plain(cause.why),
        texts=texts(pattern for rule in cause.rules for pattern in (*rule.text, *rule.all)),
        messages=messages[:_MESSAGES],
        more=len(messages) - _MESSAGES,
        remedies=[_remedy(remedy, records, frame) for remedy in cause.remedies],
        sources=[source for source in cause.sources if source != "run"],
        cells=[record.id for record in records[:100]],
        records=records[:100],
        number=frame.of(count(len(records), "cell"), [record.id for record in records])
        if records
        else None,
    )


def _remedy(remedy: RemedyEntry, records: list[CellRecord], frame: Frame) -> dict[str, Any]:
    return {
        "id": remedy.id,
        "text": plain(remedy.text),
        "command": remedy.command and plain(remedy.command),
        "proof": _proof(remedy, records, frame),
    }


def _proof(remedy: RemedyEntry, records: list[CellRecord], frame: Frame) -> Proof:
    tried: list[tuple[CellRecord, Trial]] = [
        (record, trial)
        for record in records
        for trial in record.trials
        if trial.remedy == remedy.id and trial.verified is not None
    ]
    if not tried:
        words = "not tried: it changes the system" if remedy.touches_system else "not tried here"
        return Proof(words=words, kind="open", helped=None, cells=())
    good = [record for record, trial in tried if trial.verified]
    whole = [record for record, trial in tried if trial.verified and trial.message is None]
    ids = tuple(record.id for record, _ in tried)
    words = "proven" if len(good) == len(tried) else "helped in part" if good else "did not help"
    if len(whole) < len(good):
        words += f"; something else then stops {len(good) - len(whole)} of them"
    return Proof(
        words=words,
        kind="yes" if good else "no",
        helped=frame.of(f"{len(good)} of {len(tried)}", ids),
        cells=ids,
    )
