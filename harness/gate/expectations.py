"""The file of expectations into values; each fault is told with file, line and column."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import yaml

from harness.errors import UsageError
from harness.gate.model import Expectation, Expectations
from harness.model.status import Status
from harness.nodes import Reader, read_document
from harness.query import KEYS, Predicate, compile_query

KEY: Final = "expectations"
UNWRITTEN: Final = "?"
"""Stands where a person is to write why, and who sees to it; it is no reason and no owner."""
_FIELDS: Final = (
    "cells", "status", "cause", "message", "reason", "link", "owner", "until", "flaky",
)  # fmt: skip
_MUST: Final = ("cells", "reason", "owner", "until")
_ENDS: Final = tuple(status for status in Status if status not in {Status.PASS, Status.MISSING})
_BEGIN: Final = f"begin with '{KEY}:' and a list, or with '{KEY}: []'"
_KEY: Final = re.compile(r"(?<![\w.\-])([A-Za-z][\w.\-]*):")
_OF_RESULTS: Final = frozenset({"status", "phase", "cause", "message", "probe"})
"""Keys of a query that say how a cell ended: a line says that beside its query."""
_OF_ANY_CELL: Final = re.compile(r"^[*\s]*$|^(id|path):\*+$")


def load_expectations(path: Path) -> Expectations:
    """Read a file of expectations.

    Raises
    ------
    FileFault
        With file, line and column, what is wrong, and what to write instead.
    """
    source, root = read_document(path, "file of expectations", _BEGIN)
    return Expectations(source=source, lines=tuple(_Loader(source).document(root)))


def compile_cells(query: str) -> Predicate:
    """Compile the query of an expectation.

    A list serves many matrices, so a key may be a package that no cell of this one pins; what
    looks like a misspelt key is a fault all the same.

    Raises
    ------
    UsageError
        With the position of the fault.
    """
    packages = {
        key for key in _KEY.findall(query) if not get_close_matches(key, KEYS, n=1, cutoff=0.75)
    }
    return compile_query(query, packages)


class _Loader:
    def __init__(self, source: str) -> None:
        self.reader = Reader(source)

    def document(self, root: yaml.Node) -> list[Expectation]:
        found: list[Expectation] = []
        seen = False
        for word, key, node in self.reader.mapping(root, "a file of expectations"):
            if word != KEY:
                raise self.reader.unknown(key, word, "key", [KEY])
            seen = True
            empty = isinstance(node, yaml.SequenceNode) and not node.value
            if not empty:
                found += [self.line(item) for item in self.reader.items(node, f"'{KEY}'")]
        if not seen:
            raise self.reader.fault(root, f"has no '{KEY}:'; {_BEGIN}")
        return found

    def line(self, node: yaml.Node) -> Expectation:
        values: dict[str, Any] = {}
        nodes: dict[str, yaml.Node] = {}
        for word, key, value in self.reader.mapping(node, "an expectation"):
            if word not in _FIELDS:
                raise self.reader.unknown(key, word, "key", _FIELDS)
            nodes[word] = value
            values[word] = (
                self.reader.flag(value, "'flaky'")
                if word == "flaky"
                else self.reader.text(value, f"'{word}'")
            )
        self._check(node, values, nodes)
        return Expectation(
            **{
                **values,
                "until": self._day(nodes["until"], values["until"]),
                "status": self._status(nodes["status"]) if "status" in values else None,
                "line": node.start_mark.line + 1,
            }
        )

    def _check(
        self, node: yaml.Node, values: Mapping[str, Any], nodes: Mapping[str, yaml.Node]
    ) -> None:
        for must in _MUST:
            if must not in values:
                raise self.reader.fault(node, f"this expectation has no '{must}:'; {_WHAT[must]}")
            if values[must] == UNWRITTEN:
                raise self.reader.fault(
                    nodes[must], f"'{must}' has not been written yet; {_WHAT[must]}"
                )
        if not any(key in values for key in ("cause", "message", "status")):
            raise self.reader.fault(
                node,
                "this expectation does not say how its cells end; write 'cause:' with an id of "
                "the catalogue, 'message:' with the start of the message, or 'status:'",
            )
        if _OF_ANY_CELL.match(values["cells"]):
            raise self.reader.fault(
                nodes["cells"],
                f"'{values['cells']}' covers every cell; name what they have in common, "
                "'path:reticulate bridge:<1.34 python:>=3.12'",
            )
        for key in _KEY.findall(values["cells"]):
            if key.lower() in _OF_RESULTS:
                # No cell would be listed, or with 'not' every one.
                raise self.reader.fault(
                    nodes["cells"],
                    f"'{key}:' says how a cell ended, and 'cells' only which are meant; write "
                    "'status:', 'cause:' or 'message:' as a key of its own",
                )
        try:
            compile_cells(values["cells"])
        except UsageError as error:
            raise self.reader.fault(nodes["cells"], str(error)) from None

    def _day(self, node: yaml.Node, text: str) -> dt.date:
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            raise self.reader.fault(
                node, f"'until' is '{text}', which is no day; write it as 2027-06-30"
            ) from None

    def _status(self, node: yaml.Node) -> Status:
        word = self.reader.text(node, "'status'").lower()
        if word not in set(_ENDS):
            raise self.reader.unknown(node, word, "status", [status.value for status in _ENDS])
        return Status(word)


_WHAT: Final = {
    "cells": "write a query: 'path:reticulate bridge:<1.34 python:>=3.12'",
    "reason": "write in one sentence why this is known and not mended",
    "owner": "write who sees to it",
    "until": "write the last day on which this holds, 2027-06-30",
}
