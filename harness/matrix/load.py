"""A matrix file into a ``Matrix``; each fault is one sentence with file, line and column."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from harness.matrix.fields import OPEN_TABLES, PACKAGE_NAME, PIN, TABLES, Field
from harness.matrix.frameworks import FRAMEWORKS, parse_framework
from harness.matrix.model import AXES, Asked, Block, Exclusion, Matrix
from harness.matrix.words import read_word
from harness.model.cell import is_folder_name
from harness.nodes import Reader, did_you_mean, read_document
from harness.query import check_pattern, matches

_NUMERIC = re.compile(r"^\d+(\.\d+)*$")
# What Python, R and CUDA have, so that a slip (3.1 for 3.10, 45 for 4.5) is told at once.
_OLDEST = {"python": (2, 7), "r": (3, 0), "cuda": (9,)}
_NEWEST_MAJOR = {"python": 3, "r": 5, "cuda": 20}
# Keys of the file, of which a slip in indenting would make packages: "memory_mb==4096".
_NO_PACKAGES = frozenset(
    {*TABLES["matrix"], *TABLES["include"], *TABLES["limits"], *TABLES["exclude"]} - {*AXES}
)
_AT_THE_TOP = "write it at the top of the file, without an indent"
_PLACES = {
    **dict.fromkeys(TABLES["limits"], "write it under 'limits:'"),
    "reason": "write it in an entry of 'exclude'",
}


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Names that a matrix may use; they depend on what is installed."""

    paths: Collection[str]
    transports: Collection[str]
    probes: Collection[str]


def load_matrix(path: Path, known: Known) -> Matrix:
    """Read and check a matrix file.

    Raises
    ------
    FileFault
        One sentence on the first fault, with file, line and column.
    """
    source, root = read_document(path, "matrix", "a matrix has 'axes:' or 'include:'")
    return _Loader(source, known).matrix(root, path.name.split(".")[0])


class _Loader:
    def __init__(self, source: str, known: Known) -> None:
        self.read = Reader(source)
        self.source = source
        self.known = known

    def matrix(self, root: yaml.Node, stem: str) -> Matrix:
        values: dict[str, tuple[yaml.Node, Any]] = {}
        nodes = dict(self._known_keys(root, "matrix", "the matrix"))
        for key, node in nodes.items():
            if key not in {"axes", "include", "exclude", "defaults"}:
                values[key] = (node, self._value(node, TABLES["matrix"][key], f"'{key}'"))
        asked = self._asked({key: value for key, (_, value) in values.items()}, Asked())
        defaults = self._axes(nodes["defaults"], "defaults") if "defaults" in nodes else {}
        if "axes" not in nodes and "include" not in nodes:
            raise self.read.fault(root, "the matrix has no cells; write 'axes:' or 'include:'")
        product = None
        if "axes" in nodes:
            product = self._block(nodes["axes"], "axes", defaults, asked)
        include = tuple(
            self._block(item, "include", defaults, asked)
            for item in self._entries(nodes.get("include"), "'include'")
        )
        if "exclude" in nodes and product is None:
            raise self.read.fault(
                nodes["exclude"], "'exclude' takes cells out of 'axes', which is not there"
            )
        exclude = tuple(
            self._exclusion(item, product or Block(axes={}, asked=asked, line=1))
            for item in self._entries(nodes.get("exclude"), "'exclude'")
        )
        plain = {key: value for key, (_, value) in values.items()}
        name = plain.get("matrix", stem or "matrix")
        if not is_folder_name(name):
            # Results lie in a folder of this name, and nothing else says where.
            raise self.read.fault(
                values["matrix"][0] if "matrix" in values else root,
                f"the name {name[:80]!r} cannot be that of a folder; write letters, digits and '-'",
            )
        return Matrix(
            name=name,
            source=self.source,
            question=plain.get("question"),
            product=product,
            include=include,
            exclude=exclude,
            controls=plain.get("controls", True),
        )

    def _entries(self, node: yaml.Node | None, what: str) -> list[yaml.Node]:
        return [] if node is None else self.read.items(node, what)

    def _known_keys(self, node: yaml.Node, table: str, what: str) -> list[tuple[str, yaml.Node]]:
        """Return the keys of a closed table with their values."""
        found = []
        for key, key_node, value in self.read.mapping(node, what):
            if key not in TABLES[table]:
                raise self.read.unknown(key_node, key, f"key of {what}:", TABLES[table])
            found.append((key, value))
        return found

    def _value(self, node: yaml.Node, field: Field, what: str) -> Any:
        """Read one value that is no axis."""
        if field.kind in {"number", "integer"}:
            whole = field.kind == "integer"
            return self.read.number(node, what, field.minimum, field.maximum, whole=whole)
        if field.kind == "flag":
            return self.read.flag(node, what)
        if field.kind == "mapping":
            table = field.fields or ""
            return {
                key: self._value(value, TABLES[table][key], f"'{key}'")
                for key, value in self._known_keys(node, table, what)
            }
        if field.kind == "texts":
            return tuple(self._probe(item) for item in self.read.items(node, what))
        text = self.read.text(node, what)
        if field.choices and text not in field.choices:
            raise self.read.unknown(node, text, f"{what}:", field.choices)
        return text

    def _probe(self, node: yaml.Node) -> str:
        name = self.read.text(node, "a probe")
        if name not in self.known.probes:
            raise self.read.unknown(node, name, "probe", self.known.probes)
        return name

    def _asked(self, values: dict[str, Any], base: Asked) -> Asked:
        return Asked(
            probes=values.get("probes", base.probes),
            limits=msgspec.structs.replace(base.limits, **values["limits"])
            if "limits" in values
            else base.limits,
            network=values.get("network", base.network),
            without_gpu=values.get("without_gpu", base.without_gpu),
            cold=values.get("cold", base.cold),
        )

    def _axes(self, node: yaml.Node, table: str) -> dict[str, tuple[str, ...]]:
        """Read axes alone (``defaults``)."""
        axes: dict[str, tuple[str, ...]] = {}
        for key, key_node, value in self.read.mapping(node, f"'{table}'"):
            if self._is_axis(key, key_node, "axes"):
                axes[self._axis_name(key, key_node, axes)] = self._axis(key, value)
        return axes

    def _block(
        self, node: yaml.Node, table: str, defaults: dict[str, tuple[str, ...]], base: Asked
    ) -> Block:
        own: dict[str, tuple[str, ...]] = {}
        values: dict[str, Any] = {}
        what = "'axes'" if table == "axes" else "an entry of 'include'"
        for key, key_node, value in self.read.mapping(node, what):
            if self._is_axis(key, key_node, table):
                own[self._axis_name(key, key_node, own)] = self._axis(key, value)
            else:
                values[key] = self._value(value, TABLES[table][key], f"'{key}'")
        axes = {**defaults, **own}
        for needed in ("path", "python"):
            if needed not in axes:
                example = "native" if needed == "path" else '"3.11"'
                raise self.read.fault(
                    node, f"{what} says nothing of '{needed}'; add '{needed}: {example}'"
                )
        return Block(axes=axes, asked=self._asked(values, base), line=node.start_mark.line + 1)

    def _is_axis(self, key: str, node: yaml.ScalarNode, table: str) -> bool:
        """Tell an axis (or a package to pin) from the other keys of its table."""
        field = TABLES[table].get(key)
        if field is not None:
            return field.kind == "axis"
        if key in _NO_PACKAGES:
            raise self.read.fault(
                node, f"key '{key}' does not belong here; {_PLACES.get(key, _AT_THE_TOP)}"
            )
        near = did_you_mean(key, TABLES[table])
        # A package may have any name, so only what is close to a key counts as a slip of one.
        if table in OPEN_TABLES and PACKAGE_NAME.match(key) and not near.startswith("did"):
            return True
        raise self.read.unknown(node, key, "key", TABLES[table])

    def _axis_name(self, key: str, node: yaml.ScalarNode, others: Collection[str] = ()) -> str:
        """Return the one name of an axis: of a package, that by which indexes know it."""
        name = key if key in AXES else str(canonicalize_name(key))
        if name in others:
            raise self.read.fault(node, f"'{key}' is '{name}', which stands here already; keep one")
        return name

    def _axis(self, axis: str, node: yaml.Node) -> tuple[str, ...]:
        texts = self.read.one_or_more(node, f"'{axis}'")
        values: list[str] = []
        for text, item in texts:
            value = self._axis_value(axis, text, item)
            if value in values:
                raise self.read.fault(item, f"'{text}' stands twice in '{axis}'; keep one")
            values.append(value)
        return tuple(values)

    def _axis_value(self, axis: str, text: str, node: yaml.Node) -> str:
        if self._is_word(axis, text, node):
            return " ".join(text.split())
        if axis == "framework":
            try:
                return str(parse_framework(text))
            except ValueError as error:
                raise self.read.fault(node, str(error)) from None
        for name, closed in (("path", self.known.paths), ("transport", self.known.transports)):
            if axis == name:
                if text not in closed:
                    raise self.read.unknown(node, text, axis, closed)
                return text
        if axis not in AXES:
            return self._pin(axis, text, node)
        field = TABLES["axes"][axis]
        if field.pattern and not re.fullmatch(field.pattern, text):
            raise self.read.fault(
                node, f"'{text}' is no value of '{axis}'; write, for instance, {field.example}"
            )
        self._possible(axis, text, node)
        return text

    def _is_word(self, axis: str, text: str, node: yaml.Node) -> bool:
        """Tell a value that stands for versions; one that is out of place is refused."""
        try:
            word = read_word(axis, text)
            if word is not None and word.name is not None:
                parse_framework(word.name)
        except ValueError as error:
            raise self.read.fault(node, str(error)) from None
        return word is not None

    def _possible(self, axis: str, text: str, node: yaml.Node) -> None:
        """Refuse versions that never were, such as Python 3.1 where 3.10 was meant."""
        if axis not in _OLDEST or not _NUMERIC.match(text):
            return
        version = tuple(int(part) for part in text.split("."))
        oldest = _OLDEST[axis]
        never = axis == "python" and (3,) <= version < (3, 5)
        if never or version < oldest or version[0] > _NEWEST_MAJOR[axis]:
            name = {"python": "Python", "r": "R", "cuda": "CUDA"}[axis]
            least = ".".join(str(part) for part in oldest)
            hint = f"write {least} or later, below {_NEWEST_MAJOR[axis] + 1}"
            if text == "3.1":
                hint = "did you mean 3.10?"
            elif text.isdigit() and len(text) > 1:
                at = -1 if axis == "cuda" else 1
                hint = f"did you mean {text[:at]}.{text[at:]}?"
            raise self.read.fault(node, f"there is no {name} {text} to run; {hint}")

    def _pin(self, name: str, text: str, node: yaml.Node) -> str:
        if text == "any":
            return text
        specifier = f"=={text}" if _NUMERIC.match(text) else text
        try:
            return str(SpecifierSet(specifier))
        except InvalidSpecifier:
            raise self.read.fault(
                node, f"'{text}' pins no version of {name}; write {PIN.example} or leave it out"
            ) from None

    def _exclusion(self, node: yaml.Node, product: Block) -> Exclusion:
        patterns: dict[str, tuple[str, ...]] = {}
        reason = None
        for key, key_node, value in self.read.mapping(node, "an entry of 'exclude'"):
            if not self._is_axis(key, key_node, "exclude"):
                reason = self.read.text(value, "'reason'")
                continue
            axis = self._axis_name(key, key_node, patterns)
            if axis not in AXES and axis not in product.axes:
                pins = [name for name in product.axes if name not in AXES]
                meant = did_you_mean(axis, pins) if pins else "it has none for a package"
                raise self.read.fault(
                    key_node, f"'axes' has no '{key}', so this takes no cell out; {meant}"
                )
            texts = self.read.one_or_more(value, f"'{key}'")
            patterns[axis] = tuple(
                pattern for text, item in texts for pattern in self._patterns(axis, text, item)
            )
        if not patterns:
            raise self.read.fault(node, "an entry of 'exclude' names no axis; it would take all")
        return Exclusion(patterns=patterns, reason=reason, line=node.start_mark.line + 1)

    def _patterns(self, axis: str, text: str, node: yaml.Node) -> tuple[str, ...]:
        """Return the patterns of one value of ``exclude``; what can match nothing is a fault.

        A value that ``axes`` takes covers the same here, however it is spelled.
        """
        fault = check_pattern(text)
        if fault is not None:
            raise self.read.fault(node, fault)
        if self._is_word(axis, text, node):
            raise self.read.fault(
                node, f"'{text}' stands for versions that are found later; name them, or a range"
            )
        closed = {"path": self.known.paths, "transport": self.known.transports}.get(axis)
        if closed is not None and not any(matches(text, name) for name in (*closed, None)):
            raise self.read.unknown(node, text, axis, closed)
        if "." in text:
            self._possible(axis, text, node)
        if axis == "framework":
            return self._framework_patterns(text, node)
        if axis in AXES:
            return (text,)
        if text == "any":
            # A cell that leaves the package to the resolver has no value there.
            return ("none",)
        try:
            return (text, str(SpecifierSet(text)))
        except InvalidSpecifier:
            return (text,)

    def _framework_patterns(self, text: str, node: yaml.Node) -> tuple[str, ...]:
        try:
            framework = parse_framework(text)
        except ValueError as error:
            ranged = re.match(r"([^\[]*)(\[[^\]]*\])\s*([<>!~].*)", text)
            if ranged is not None:
                name, backends, range_ = ranged.groups()
                raise self.read.fault(
                    node,
                    f"'{text}' is a range with backends; write '{name}{range_}' for all backends, "
                    f"or '{name}{backends}' for all versions",
                ) from None
            of_versions = re.search(r"[*?<>=!~]|^\d", text) is not None
            if of_versions or any(matches(text, name) for name in (*FRAMEWORKS, None)):
                return (text,)
            raise self.read.fault(node, str(error)) from None
        # Without a version, backends in brackets cover all versions with these backends.
        open_ = "==*" if "[" in text and framework.version is None else ""
        return (text, f"{framework}{open_}")
