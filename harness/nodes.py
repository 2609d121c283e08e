"""YAML as a tree that remembers where each value stands.

The text of a scalar is kept as it was written, so that ``python: 3.10`` stays 3.10 and does
not become the number 3.1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from harness.errors import FileFault

MAX_BYTES = 1_000_000
LONGEST = 4_000
"""Characters of one value: of a number with more digits Python makes none."""
MAX_NODES = 500_000
"""Values of a document, those counted each time that an alias stands for: a few lines of aliases
of aliases come to more than any memory holds."""


def read_document(path: Path, kind: str, begin: str) -> tuple[str, yaml.Node]:
    """Read a YAML file of one document; return the name for messages and its root node.

    Parameters
    ----------
    kind
        What the file is, for messages: ``matrix``.
    begin
        What to write into an empty one: ``a matrix has 'axes:' or 'include:'``.

    Raises
    ------
    FileFault
        The file is not there, not UTF-8, too large, not YAML, or empty.
    """
    source = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise FileFault(source, f"is a folder; name a {kind} file") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FileFault(source, f"cannot be read: {reason}") from None
    if len(raw) > MAX_BYTES:
        raise FileFault(source, f"has more than {MAX_BYTES:,} bytes, which no {kind} needs")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FileFault(source, "is not UTF-8 here; save the file as UTF-8", line=line) from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _of_yaml(source, error) from None
    except yaml.YAMLError as error:
        raise FileFault(source, f"is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise FileFault(source, f"is nested too deeply for a {kind}") from None
    if node is None:
        raise FileFault(source, f"is empty; {begin}")
    _check_aliases(source, node)
    return source, node


def _check_aliases(source: str, root: yaml.Node) -> None:
    """Refuse a document that its aliases make endless, or larger than any is."""
    sizes: dict[int, int] = {}
    stack = [(root, iter(_children(root)))]
    under_way = {id(root)}
    while stack:
        node, children = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            under_way.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(one)] for one in _children(node))
            if sizes[id(node)] > MAX_NODES:
                mark = node.start_mark
                raise FileFault(
                    source,
                    f"comes to more than {MAX_NODES:,} values, aliases written out; write fewer",
                    line=mark.line + 1,
                    column=mark.column + 1,
                )
        elif id(child) in under_way:
            mark = child.start_mark
            raise FileFault(
                source,
                "is led back to by an alias that stands in it; write the values out",
                line=mark.line + 1,
                column=mark.column + 1,
            )
        elif id(child) not in sizes:
            under_way.add(id(child))
            stack.append((child, iter(_children(child))))


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _of_yaml(source: str, error: yaml.MarkedYAMLError) -> FileFault:
    mark = error.problem_mark or error.context_mark
    said = ", ".join(part for part in (error.context, error.problem) if part)
    if "character '\\t'" in said:
        said += "; indent with spaces"
    if "expected ',' or ']', but got '['" in said:
        said += "; write a value with brackets on a line of its own, '- keras[jax]==3.15.1'"
    if mark is None:
        return FileFault(source, f"is not YAML: {said}")
    return FileFault(source, f"is not YAML: {said}", line=mark.line + 1, column=mark.column + 1)


class Reader:
    """Takes nodes apart and says of each fault where it is."""

    def __init__(self, source: str) -> None:
        self.source = source

    def fault(self, node: yaml.Node, message: str) -> FileFault:
        """Make an error about a node; the caller raises it."""
        mark = node.start_mark
        return FileFault(self.source, message, line=mark.line + 1, column=mark.column + 1)

    def mapping(
        self, node: yaml.Node, what: str
    ) -> Iterator[tuple[str, yaml.ScalarNode, yaml.Node]]:
        """Yield key, its node and the value's node; a key that comes twice is a fault."""
        if not isinstance(node, yaml.MappingNode):
            raise self.fault(node, f"{what} is {kind_of(node)}; write 'key: value' lines")
        seen: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.fault(key, f"a key of {what} is {kind_of(key)}; write a word")
            if key.value in seen:
                raise self.fault(
                    key, f"'{key.value}' stands in line {seen[key.value]} already; keep one"
                )
            seen[key.value] = key.start_mark.line + 1
            yield key.value, key, value

    def items(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        """Return the items of a list that must not be empty."""
        if not isinstance(node, yaml.SequenceNode):
            raise self.fault(node, f"{what} is {kind_of(node)}; write a list")
        if not node.value:
            raise self.fault(node, f"{what} is an empty list; write a value or leave the key out")
        return list(node.value)

    def one_or_more(self, node: yaml.Node, what: str) -> list[tuple[str, yaml.Node]]:
        """Return the texts of a scalar or of a list of scalars."""
        nodes = self.items(node, what) if isinstance(node, yaml.SequenceNode) else [node]
        return [(self.text(item, what), item) for item in nodes]

    def text(self, node: yaml.Node, what: str) -> str:
        """Return a scalar as it was written."""
        if not isinstance(node, yaml.ScalarNode):
            raise self.fault(node, f"{what} is {kind_of(node)}; write one value")
        if node.tag.endswith((":null", ":bool")) or not node.value.strip():
            shown = node.value.strip() or "nothing"
            raise self.fault(node, f"{what} is {shown}, {kind_of(node)}; write a value in quotes")
        if len(node.value) > LONGEST:
            raise self.fault(node, f"{what} has more than {LONGEST:,} characters; write fewer")
        return str(node.value).strip()

    def flag(self, node: yaml.Node, what: str) -> bool:
        """Return a truth value."""
        if not (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":bool")):
            raise self.fault(node, f"{what} is {kind_of(node)}; write true or false")
        return str(node.value).lower() in {"true", "yes", "on"}

    def number(
        self,
        node: yaml.Node,
        what: str,
        minimum: float | None,
        maximum: float | None = None,
        *,
        whole: bool,
    ) -> float:
        """Return a number from ``minimum`` to ``maximum``, both included."""
        wanted = "a whole number" if whole else "a number"
        if not isinstance(node, yaml.ScalarNode):
            raise self.fault(node, f"{what} is {kind_of(node)}; write {wanted}")
        try:
            value = int(node.value) if whole else float(node.value)
        except ValueError:
            raise self.fault(node, f"{what} is '{node.value}'; write {wanted}") from None
        # NaN and infinity are floats, and no limits.
        if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124
            raise self.fault(node, f"{what} is {node.value}; write {wanted}")
        if minimum is not None and value < minimum:
            raise self.fault(node, f"{what} is {node.value}; write {minimum:g} or more")
        if maximum is not None and value > maximum:
            raise self.fault(node, f"{what} is {node.value}; write {maximum:.0f} or less")
        return value

    def unknown(self, node: yaml.Node, word: str, what: str, known: Iterable[str]) -> FileFault:
        """Make the error about a word that is not in a closed list, with what was meant."""
        return self.fault(node, f"{what} '{word}' is not known; {did_you_mean(word, known)}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return 'did you mean X?' where something is near, else the whole list."""
    names = sorted(known)
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"it is one of: {', '.join(names)}"


def kind_of(node: yaml.Node) -> str:
    """Name a node's kind for a message."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    tag = node.tag.rsplit(":", 1)[-1]
    return {
        "null": "no value",
        "bool": "a truth value",
        "int": "a number",
        "float": "a number",
        "str": "a text",
    }.get(tag, f"a {tag}")
