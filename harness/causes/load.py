"""The catalogue's files into a ``Catalogue``; each fault is one sentence with file and line.

YAML is composed into nodes with libyaml (ten times as fast as PyYAML's own reader), every
scalar stays the text that was written (``1.40`` is no number), and msgspec checks the keys.
Compiling all patterns takes longer than all else, so that is left to those who ask (the tests).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import yaml

from harness.causes.conditions import fault_of_condition
from harness.causes.entries import Catalogue, Cause, Group, Notice, Notices, Rule
from harness.causes.facts import kind_of
from harness.causes.fill import names_in
from harness.causes.patterns import OTHER_QUOTES, compile_pattern, needles
from harness.errors import FileFault
from harness.model.status import Phase

FOLDER: Final = Path(__file__).parent
_ID: Final = re.compile(r"[a-zA-Z0-9]+(-[a-zA-Z0-9_]+)*")
_PART_OF_A_LINE: Final = re.compile(r"\[\^\\n\]\*\\n\?\)[*+{]")
"""``([^\\n]*\\n?){0,6}``: a repeated group that may end anywhere in a line."""
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Kind = TypeVar("Kind")
_Place = tuple[str | int, ...]


def read_catalogue(folder: Path = FOLDER, *, check_patterns: bool = True) -> Catalogue:
    """Read and check every file of a catalogue.

    ``folder`` holds ``catalogue/*.yaml`` and ``noise.yaml``.

    Raises
    ------
    FileFault
        One sentence on the first fault, with file and line.
    """
    causes: list[Cause] = []
    seen: dict[str, str] = {}
    for path in sorted((folder / "catalogue").glob("*.yaml")):
        document = _Document(path)
        group = document.as_a(Group)
        for position, cause in enumerate(group.causes):
            place = ("causes", position)
            if cause.id in seen:
                raise document.fault(
                    (*place, "id"), f"'{cause.id}' stands in {seen[cause.id]} already; keep one"
                )
            seen[cause.id] = path.name
            for where in _places_of_patterns(cause):
                document.refuse_cut((*place, *where))
            for where, message in _faults_of(cause, check_patterns=check_patterns):
                raise document.fault((*place, *where), message)
            causes.append(msgspec.structs.replace(cause, group=group.group))
    notices = _notices(folder / "noise.yaml", check_patterns=check_patterns)
    catalogue = Catalogue(causes=tuple(causes), notices=notices, needles=_needles(causes, notices))
    _check_ranks(catalogue, folder)
    return catalogue


def _needles(causes: list[Cause], notices: tuple[Notice, ...]) -> dict[str, tuple[str, ...]]:
    patterns = [
        pattern
        for cause in causes
        for rule in cause.rules
        for pattern in (*rule.text, *rule.all, *rule.unless)
    ]
    patterns.extend(pattern for notice in notices for pattern in notice.lines)
    return {pattern: needles(pattern) for pattern in patterns}


def _notices(path: Path, *, check_patterns: bool) -> tuple[Notice, ...]:
    document = _Document(path)
    notices = document.as_a(Notices).notices
    for position, notice in enumerate(notices):
        for number, pattern in enumerate(notice.lines):
            document.refuse_cut(("notices", position, "lines", number))
            message = _fault_of_pattern(pattern) if check_patterns else None
            if message is not None:
                raise document.fault(("notices", position, "lines", number), message)
    return notices


def _check_ranks(catalogue: Catalogue, folder: Path) -> None:
    """Refuse a ``yields_to`` that names nothing, or two causes that yield to each other."""
    by_id = {cause.id: cause for cause in catalogue.causes}
    for cause in catalogue.causes:
        for winner in cause.yields_to:
            if winner not in by_id:
                message = f"'{cause.id}' yields to '{winner}', which is no cause; name one"
                raise FileFault(str(folder / "catalogue"), message)
            if cause.id in by_id[winner].yields_to:
                message = f"'{cause.id}' and '{winner}' yield to each other; only one may"
                raise FileFault(str(folder / "catalogue"), message)


# --- one file ----------------------------------------------------------------------------------


class _Document:
    """One YAML file whose values remember where they stand."""

    def __init__(self, path: Path) -> None:
        self.source = str(path)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise FileFault(self.source, f"cannot be read: {reason}") from None
        try:
            root = yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else None
            raise FileFault(self.source, f"is not YAML: {error.problem}", line=line) from None
        if root is None:
            raise FileFault(self.source, "is empty; a group has 'group:' and 'causes:'")
        self.root = root
        self.lines = text.split("\n")

    def as_a(self, kind: type[Kind]) -> Kind:
        """Return the file's content as a checked value."""
        try:
            return msgspec.convert(self._plain(self.root), kind, strict=False)
        except msgspec.ValidationError as error:
            said, _, path = str(error).partition(" - at ")
            place = tuple(_steps(path.strip("`")))
            raise self.fault(place, said[:1].lower() + said[1:].replace("`", "'")) from None

    def fault(self, place: _Place, message: str) -> FileFault:
        """Make an error about the value at a place; the caller raises it."""
        _, line = self._at(place)
        return FileFault(self.source, message, line=line)

    def refuse_cut(self, place: _Place) -> None:
        """Refuse a pattern without quotes of which YAML took the end for a comment.

        Raises
        ------
        FileFault
            The pattern goes on after `` #``.
        """
        node, _ = self._at(place)
        mark = node.end_mark
        if not isinstance(node, yaml.ScalarNode) or node.style in {"'", '"', "|", ">"}:
            return
        rest = self.lines[mark.line][mark.column :]
        if rest.lstrip().startswith("#"):
            message = (
                f"the pattern ends at ' #', where a comment begins, and '{rest.strip()}' is lost; "
                r"write '\s#', or the pattern on the line below '|-'"
            )
            raise FileFault(self.source, message, line=mark.line + 1)

    def _at(self, place: _Place) -> tuple[yaml.Node, int]:
        """Return the value at a place, or the nearest one around it, and its line."""
        node, line = self.root, 1
        for step in place:
            found = None
            if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                found = node.value[step]
            elif isinstance(node, yaml.MappingNode):
                found = next((value for key, value in node.value if key.value == step), None)
            if found is None:
                break
            node = found
            line = node.start_mark.line + 1
        return node, line

    def _plain(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return node.value
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item) for item in node.value]
        plain: dict[str, Any] = {}
        for key, value in node.value:
            if key.value in plain:
                line = key.start_mark.line + 1
                raise FileFault(self.source, f"'{key.value}' stands here twice", line=line)
            plain[key.value] = self._plain(value)
        return plain


def _steps(path: str) -> Iterator[str | int]:
    """Take msgspec's ``$.causes[3].rules[0]`` apart."""
    for name, number in re.findall(r"\.([\w-]+)|\[(\d+)\]", path):
        yield int(number) if number else name


# --- what msgspec cannot see -------------------------------------------------------------------


def _places_of_patterns(cause: Cause) -> Iterator[_Place]:
    for number, rule in enumerate(cause.rules):
        for key in ("text", "all", "unless"):
            for position in range(len(getattr(rule, key))):
                yield ("rules", number, key, position)


def _faults_of(cause: Cause, *, check_patterns: bool) -> Iterator[tuple[_Place, str]]:
    if not _ID.fullmatch(cause.id):
        yield ("id",), f"'{cause.id}' is no id; write words of letters and digits with dashes"
    for phase in cause.phases:
        if phase not in set(Phase):
            yield ("phase",), f"'{phase}' is no phase; it is one of: {', '.join(Phase)}"
    for key in ("rules", "remedies", "sources"):
        if not getattr(cause, key):
            yield (key,), f"'{cause.id}' has no {key}; write at least one"
    for key in ("means", "summary", "why"):
        if not getattr(cause, key).strip():
            yield (key,), f"'{key}' of '{cause.id}' is empty; write a sentence"
    yield from _bare_names(cause.summary, ("summary",))
    for number, rule in enumerate(cause.rules):
        for place, message in _faults_of_rule(rule, check_patterns=check_patterns):
            yield ("rules", number, *place), message
    yield from _faults_of_remedies(cause)
    yield from _unknown_names(cause)


def _faults_of_rule(rule: Rule, *, check_patterns: bool) -> Iterator[tuple[_Place, str]]:
    if not (rule.when or rule.text or rule.all):
        yield (), "a rule has neither 'when' nor 'text'; write one of them"
    for name, condition in rule.when.items():
        message = fault_of_condition(name, condition)
        if message is not None:
            yield ("when", name), message
    if check_patterns:
        for key in ("text", "all", "unless"):
            for position, pattern in enumerate(getattr(rule, key)):
                message = _fault_of_pattern(pattern)
                if message is not None:
                    yield (key, position), message


def _faults_of_remedies(cause: Cause) -> Iterator[tuple[_Place, str]]:
    names: set[str] = set()
    for number, remedy in enumerate(cause.remedies):
        if remedy.id in names:
            yield ("remedies", number, "id"), f"'{remedy.id}' stands twice; keep one"
        names.add(remedy.id)
        for name, condition in remedy.when.items():
            message = fault_of_condition(name, condition)
            if message is not None:
                yield ("remedies", number, "when", name), message
        yield from _bare_names(remedy.text, ("remedies", number, "text"))


def _bare_names(template: str, place: _Place) -> Iterator[tuple[_Place, str]]:
    for names, fallback in names_in(template):
        if fallback is None:
            name = "|".join(names)
            yield place, f"'{{{name}}}' may not be known; write '{{{name}|what to say then}}'"


def _unknown_names(cause: Cause) -> Iterator[tuple[_Place, str]]:
    """Refuse names in braces that neither a pattern nor a fact can give: slips, and lost bars."""
    groups = {
        group
        for rule in cause.rules
        for pattern in (*rule.text, *rule.all, *rule.when.values())
        for group in re.findall(r"\(\?P<(\w+)>", "".join(pattern))
    }
    if "module" in groups:
        groups.add("distribution")
    templates: list[tuple[_Place, str]] = [(("summary",), cause.summary)]
    for number, remedy in enumerate(cause.remedies):
        templates.append((("remedies", number, "text"), remedy.text))
        if remedy.command is not None:
            templates.append((("remedies", number, "command"), remedy.command))
    for place, template in templates:
        for names, _ in names_in(template):
            for name in names:
                if re.sub(r"[.-]", "_", name) not in groups and kind_of(name) is None:
                    message = f"'{name}' is no group of the cause's patterns, and no fact"
                    yield place, f"{message}; name one, and write words after the last '|'"


def _fault_of_pattern(pattern: str) -> str | None:
    try:
        compiled = compile_pattern(pattern)
    except re.error as error:
        return f"'{pattern}' is no regular expression: {error}"
    if _PART_OF_A_LINE.search(pattern):
        # A line of a thousand letters has more ways to be divided than there is time to try.
        return f"'{pattern}' repeats what fits any part of a line; write '(\\n[^\\n]*)*'"
    if compiled.search("") is not None:
        return f"'{pattern}' is found in an empty log; ask for more"
    quote = next((letter for letter in pattern if letter in OTHER_QUOTES), None)
    if quote is not None:
        return f"a log that is searched has ' for every quote character; write it for {quote}"
    return None
