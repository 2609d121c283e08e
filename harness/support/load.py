"""The files of facts into values; each fault is one sentence with file, line and column."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from harness.errors import FileFault, MachineFault
from harness.nodes import Reader, read_document
from harness.support.facts import Fact, Source, Subject

AXES: Final = ("cuda", "cudnn", "driver", "keras", "numpy", "python", "r")
"""What a version of a subject can be documented to go with."""
_TOP: Final = frozenset({"subject", "packages", "sources", "facts"})
_OWN: Final = frozenset({"of", "says", "with", "note"})
_DATE: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?")


def folder() -> Path:
    """Return the folder of the facts: that of the checkout, or the copy in the package.

    Raises
    ------
    MachineFault
        If the installation has lost it.
    """
    package = Path(__file__).parent
    for place in (package.parents[1] / "matrices" / "support", package / "data"):
        if place.is_dir():
            return place
    raise MachineFault(
        "the documented support ranges are missing from this installation; install it anew"
    )


@cache
def load_support(place: Path | None = None) -> tuple[Subject, ...]:
    """Return the facts of every file of a folder; by default, those that the harness comes with.

    Raises
    ------
    FileFault
        One sentence on the first fault, with file, line and column.
    MachineFault
        If there is no such folder.
    """
    found: dict[str, Subject] = {}
    for path in sorted((folder() if place is None else place).glob("*.yaml")):
        subject = load_file(path)
        if subject.name in found:
            raise FileFault(str(path), f"another file has facts of {subject.name} already")
        found[subject.name] = subject
    return tuple(found.values())


def load_file(path: Path) -> Subject:
    """Return the facts of one file; raises ``FileFault``."""
    source, root = read_document(path, "support", "write 'subject:', 'sources:' and 'facts:'")
    return _Loader(source, path.name).subject(root)


class _Loader:
    def __init__(self, source: str, name: str) -> None:
        self.read = Reader(source)
        self.name = name

    def subject(self, root: yaml.Node) -> Subject:
        nodes = self._keys(root, "the file", _TOP)
        for key in ("subject", "sources", "facts"):
            if key not in nodes:
                raise self.read.fault(root, f"'{key}:' is missing; it says whose facts these are"
                                      if key == "subject" else f"'{key}:' is missing")  # fmt: skip
        name = self.read.text(nodes["subject"], "'subject'")
        packages = nodes.get("packages")
        sources = {
            key: self._source(value, f"the source '{key}'")
            for key, _, value in self.read.mapping(nodes["sources"], "'sources'")
        }
        return Subject(
            name=name,
            packages=()
            if packages is None
            else tuple(text for text, _ in self.read.one_or_more(packages, "'packages'")),
            facts=tuple(
                fact
                for node in self.read.items(nodes["facts"], "'facts'")
                for fact in self._facts(node, name, sources)
            ),
        )

    def _keys(self, node: yaml.Node, what: str, known: frozenset[str]) -> dict[str, yaml.Node]:
        found = {}
        for key, key_node, value in self.read.mapping(node, what):
            if key not in known:
                raise self.read.unknown(key_node, key, f"key of {what}:", known)
            found[key] = value
        return found

    def _source(self, node: yaml.Node, what: str) -> Source:
        nodes = self._keys(node, what, frozenset({"source", "date"}))
        for key in ("source", "date"):
            if key not in nodes:
                raise self.read.fault(node, f"{what} has no '{key}:'")
        text = self.read.text(nodes["source"], "'source'")
        if not text.startswith(("https://", "run: ")):
            raise self.read.fault(
                nodes["source"],
                f"'{text}' is no source; write a public https:// address, or 'run: ' and what ran",
            )
        date = self.read.text(nodes["date"], "'date'")
        if not _DATE.fullmatch(date):
            raise self.read.fault(
                nodes["date"], f"'{date}' is no date; write, for instance, 2026-11-22 or 2026-11"
            )
        return Source(text=text, date=date)

    def _facts(self, node: yaml.Node, subject: str, sources: dict[str, Source]) -> list[Fact]:
        nodes = self._keys(node, "a fact", _OWN | frozenset(AXES))
        for key in ("of", "says"):
            if key not in nodes:
                raise self.read.fault(node, f"the fact has no '{key}:'")
        says = self.read.text(nodes["says"], "'says'")
        if says not in sources:
            raise self.read.unknown(nodes["says"], says, "source", sources)
        given = nodes.get("with")
        note = nodes.get("note")
        found = []
        for axis in (key for key in nodes if key in AXES):
            named = isinstance(nodes[axis], yaml.SequenceNode)
            found.append(
                Fact(
                    subject=subject,
                    of=self._range(nodes["of"], "'of'"),
                    axis=axis,
                    range=self._versions(nodes[axis], axis)
                    if named
                    else self._range(nodes[axis], f"'{axis}'"),
                    named=named,
                    given=() if given is None else self._given(given),
                    source=sources[says],
                    note=None if note is None else self.read.text(note, "'note'"),
                    place=f"{self.name}:{node.start_mark.line + 1}",
                )
            )
        if not found:
            raise self.read.fault(
                node, f"the fact says nothing; write one of {', '.join(AXES)} with a range"
            )
        return found

    def _given(self, node: yaml.Node) -> tuple[tuple[str, str], ...]:
        nodes = self._keys(node, "'with'", frozenset(AXES))
        return tuple((axis, self._range(value, f"'{axis}'")) for axis, value in nodes.items())

    def _range(self, node: yaml.Node, what: str) -> str:
        text = self.read.text(node, what)
        try:
            SpecifierSet(text)
        except InvalidSpecifier:
            raise self.read.fault(
                node, f"{what} is '{text}', which is no range; write, for instance, '>=3.9,<=3.12'"
            ) from None
        return text

    def _versions(self, node: yaml.Node, axis: str) -> str:
        found = []
        for text, item in self.read.one_or_more(node, f"'{axis}'"):
            try:
                Version(text)
            except InvalidVersion:
                raise self.read.fault(
                    item, f"'{text}' is no version; write, for instance, 12.6"
                ) from None
            found.append(text)
        return ", ".join(found)
