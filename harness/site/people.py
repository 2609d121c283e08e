"""Pages of what is derived from the results: which path, conversions, documented, about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from harness.model.record import CellRecord
from harness.model.status import Status
from harness.published.advice import PathAdvice, Recommendation, advice
from harness.published.claims import Checked, article, claims
from harness.published.costs import Cost
from harness.published.ranges import Claim, coverage, ranges
from harness.report.base import File
from harness.report.conversions import LEGS, MARKS, Column, columns, names_of_values
from harness.report.conversions import MEANINGS as MARK_MEANINGS
from harness.report.documented import Disagreement, disagreements
from harness.report.summary import machine_line
from harness.report.words import count, seconds, signed_seconds
from harness.site.first import MEANINGS
from harness.site.forms import offered
from harness.site.frame import Frame

_VERDICTS: Final = {"holds": "holds", "holds in part": "in-part", "does not hold": "no-hold"}


def people(frame: Frame) -> Iterator[File]:
    """Yield the pages."""
    yield _paths(frame)
    yield _conversions(frame)
    yield _documented(frame)
    yield _about(frame)


def _paths(frame: Frame) -> File:
    told = advice(frame.results)
    return frame.page(
        "paths.html",
        "paths.html",
        "paths",
        "Which path should I use?",
        recommendations=[_recommendation(one, frame) for one in told.recommendations],
        rules=told.rules,
        paths=[_path(one, frame) for one in told.paths if one.versions],
        article=article(),
        claims=[_claim(one, frame) for one in claims(frame.results, told)],
        ranges=_ranges(frame),
        **_coverage(frame),
    )


def _recommendation(one: Recommendation, frame: Frame) -> dict[str, Any]:
    return {
        "need": one.need,
        "rule": one.rule,
        "path": one.path,
        # Its first sentence lists the numbers, which are shown as links.
        "why": one.why.partition(". ")[2] if one.order else one.why,
        "order": [
            (path, frame.figure(figure))
            for path, figure in zip(one.order, one.figures, strict=False)
        ],
    }


def _path(one: PathAdvice, frame: Frame) -> dict[str, Any]:
    return {
        "path": one.path,
        "host": one.host,
        "versions": [
            {
                "version": version.version or "no package",
                "passes": frame.figure(version.passes),
                "works": frame.figure(version.works),
                "controls": frame.figure(version.controls),
            }
            for version in one.versions
        ],
        "probes": [(name, frame.figure(figure)) for name, figure in one.by_probe],
        "costs": [_cost(cost, frame) for cost in one.costs],
        "silent": frame.figure(one.silent) if one.silent else None,
    }


def _cost(cost: Cost, frame: Frame) -> dict[str, Any]:
    return {
        "what": cost.what,
        "path": frame.figure(cost.path),
        "control": frame.figure(cost.control) if cost.control else None,
        "cost": frame.figure(cost.cost),
        "least": frame.of(signed_seconds(cost.least), cost.cost.cells, how="least"),
        "most": frame.of(signed_seconds(cost.most), cost.cost.cells, how="most"),
        "pairs": frame.of(str(cost.pairs), cost.path.cells),
    }


def _claim(one: Checked, frame: Frame) -> dict[str, Any]:
    return {
        "id": one.id,
        "says": one.says,
        "quote": one.quote,
        "where": one.where,
        "verdict": one.verdict.value,
        "kind": _VERDICTS.get(one.verdict.value, "open"),
        "because": one.because,
        "figures": [frame.figure(figure) for figure in one.figures],
        "cells": frame.of(count(len(one.cells), "cell"), one.cells) if one.cells else None,
    }


def _ranges(frame: Frame) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return what is known of versions, by subject."""
    found = ranges(frame.results)

    def subject(claim: Claim) -> str:
        return claim.subject

    return [
        (name, [_range(claim, frame) for claim in group])
        for name, group in groupby(sorted(found, key=subject), key=subject)
    ]


def _range(claim: Claim, frame: Frame) -> dict[str, Any]:
    return {
        "sentence": claim.sentence,
        "asks": claim.asks,
        "seen": claim.last_seen[:10],
        "tried": [
            {
                "version": tried.version or "no version",
                "outcome": tried.outcome.value,
                "cells": frame.of(
                    f"{len(tried.passing)} of {len(tried.passing) + len(tried.failing)}",
                    (*tried.passing, *tried.failing),
                ),
            }
            for tried in claim.tried
        ],
    }


def _coverage(frame: Frame) -> dict[str, Any]:
    found = coverage(frame.results)
    everything = [record.id for record in frame.results.cells]
    return {
        "coverage": frame.figure(found.cells) if found.cells.cells else None,
        "pairs": frame.of(f"{found.pairs_measured:,} of {found.pairs_possible:,}", everything),
        "last_seen": found.last_seen[:10],
    }


def _conversions(frame: Frame) -> File:
    found = columns(frame.results)
    marks = list(dict.fromkeys(MARKS.values()))
    return frame.page(
        "conversions.html",
        "conversions.html",
        "conversions",
        "What survives a conversion",
        columns=[column.name for column in found],
        ids=[column.record.id for column in found],
        marks=marks,
        meanings=MARK_MEANINGS,
        totals=[
            (column.name, column.record.id, [_both(column, mark, frame) for mark in marks])
            for column in found
        ],
        values=[
            (value, [(column.mark(value), column.record.id) for column in found])
            for value in names_of_values(found)
        ],
    )


def _both(column: Column, mark: str, frame: Frame) -> Any:
    there, back = (column.counts(leg)[mark] for leg in LEGS)
    if not there and not back:
        return None
    return frame.of(f"{there} / {back}", [column.record.id], how="values judged in")


def _documented(frame: Frame) -> File:
    found = disagreements(frame.results)
    return frame.page(
        "documented.html",
        "documented.html",
        "documented",
        "Documented against actual",
        entries=[_disagreement(one, frame) for one in found],
    )


def _disagreement(one: Disagreement, frame: Frame) -> dict[str, Any]:
    return {
        "pair": one.pair,
        "said": one.said,
        "range": one.range,
        "ran": one.ran,
        "fact": one.fact,
        "days": ", ".join(one.days),
        "cells": frame.of(count(len(one.cells), "cell"), [record.id for record in one.cells]),
    }


def _about(frame: Frame) -> File:
    results = frame.results
    elsewhere = {cell for other in results.elsewhere for cell in other.cells}
    by_machine = [
        (machine_line(results.machine), _here(results.cells, elsewhere)),
        *((machine_line(other.machine), list(other.cells)) for other in results.elsewhere),
    ]
    return frame.page(
        "about.html",
        "about.html",
        "about",
        "About these tables",
        machines=[
            (words, frame.of(count(len(ids), "cell"), ids)) for words, ids in by_machine if ids
        ],
        forms=[(path, words) for path, words, _ in offered(results)],
        statuses=[(status, MEANINGS[status]) for status in Status],
        took=frame.of(
            seconds(sum(record.wall_s for record in results.cells)),
            [record.id for record in results.cells],
            how="sum",
        ),
    )


def _here(records: Sequence[CellRecord], elsewhere: set[str]) -> list[str]:
    return [record.id for record in records if record.id not in elsewhere]
