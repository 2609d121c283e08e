"""Why no set of packages exists, in words: the requirements in conflict, and nothing else."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec
from packaging.version import InvalidVersion, Version

from harness.errors import Unsatisfiable
from harness.resolve.account import Account, Fact, Kind, parse_account

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SPEC: Final = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?P<extras>\[[^\]]*\])?(?P<bounds>.*)")
_BOUND: Final = re.compile(r"(?P<sign>===?|<=|>=|~=|!=|<|>)\s*(?P<version>[^,\s]+)")
_TAG: Final = re.compile(r"cp(\d)(\d+)")
_PYTHON: Final = "Python"
_MOST: Final = 6
"""Facts in a sentence; the account that stands beside it has them all."""
_PAIR: Final = 2


class NoSolution(Unsatisfiable):
    """No set of packages exists.

    ``detail`` is the resolver's account in full, and ``asked`` are the requirements in conflict.
    """

    def __init__(self, message: str, *, detail: str, asked: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.detail = detail
        self.asked = tuple(asked)


class _Bound(msgspec.Struct, frozen=True):
    sign: str
    version: str

    def __str__(self) -> str:
        return self.version if self.sign == "==" else f"{self.sign} {self.version}"


class _Spec(msgspec.Struct, frozen=True):
    """A package with bounds on its version, as a text that can be taken apart."""

    name: str
    extras: str
    bounds: tuple[_Bound, ...]

    def __str__(self) -> str:
        return f"{self.name}{self.extras} {_range(self.bounds)}".strip()


def condense(stderr: str, python: str) -> str:
    """Return the conflict that uv found, as a clause.

    Parameters
    ----------
    stderr
        What ``uv pip compile`` printed.
    python
        Version of the Python that was resolved for.
    """
    account = parse_account(stderr)
    facts = _relevant(account.facts)
    said = list(dict.fromkeys(_statements(facts, account, python)))
    rest = f" and {len(said) - _MOST} more" if len(said) > _MOST else ""
    clause = _listed(said[:_MOST]) if not rest else ", ".join(said[:_MOST]) + rest
    required = [str(spec) for spec in _required(facts, Kind.ASKED)]
    held = [str(spec) for spec in _required(facts, Kind.HELD)]
    if not clause:
        # Two requirements that exclude each other need no third fact.
        return (
            f"{_listed(required)} exclude each other" if required else "the requirements conflict"
        )
    ends = []
    if required:
        ends.append(f"{_listed(required)} {'is' if len(required) == 1 else 'are'} asked for")
    if held:
        ends.append(f"only {_listed(held)} {'is' if len(held) == 1 else 'are'} allowed here")
    return f"{clause}, while {' and '.join(ends)}" if ends else clause


# -- which facts


def _relevant(facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """Leave out what goes without saying, and join what is said of several versions in turn."""
    # That a package needs Python's own version, or has no wheels, stands beside the list of the
    # versions that there are; the list tells something only where nothing else does.
    explained = {
        _parsed(spec).name
        for fact in facts
        for spec in fact.subject
        if fact.kind not in (Kind.ASKED, Kind.HELD, Kind.ONLY)
    }
    kept = [
        fact
        for fact in facts
        if fact.kind is not Kind.ONLY
        or not any(_parsed(spec).name in explained for spec in fact.subject)
    ]
    # What was asked for comes first, and what follows from it after.
    asked = {
        _parsed(spec).name for fact in facts if fact.kind is Kind.ASKED for spec in fact.subject
    }
    return tuple(
        sorted(
            _joined(kept),
            key=lambda fact: not any(_parsed(spec).name in asked for spec in fact.subject),
        )
    )


def _joined(facts: Iterable[Fact]) -> Iterable[Fact]:
    groups: dict[tuple[object, ...], list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.kind is Kind.NEEDS:
            names = frozenset(_parsed(spec).name for spec in fact.object)
            groups[fact.kind, _parsed(fact.subject[0]).name, names].append(fact)
        elif fact.kind is Kind.NO_WHEELS:
            groups[fact.kind, _parsed(fact.subject[0]).name, fact.why].append(fact)
        else:
            groups[fact.kind, fact].append(fact)
    for same in groups.values():
        yield msgspec.structs.replace(
            same[0],
            subject=tuple(dict.fromkeys(spec for fact in same for spec in fact.subject)),
            object=tuple(dict.fromkeys(spec for fact in same for spec in fact.object)),
        )


def _required(facts: Sequence[Fact], kind: Kind) -> list[_Spec]:
    """Return the requirements that no fact names in its subject: the others speak for them."""
    subjects = {
        _parsed(spec).name
        for fact in facts
        for spec in fact.subject
        if fact.kind not in (Kind.ASKED, Kind.HELD)
    }
    narrowed = _narrowed(facts)
    specs = [_parsed(spec) for fact in facts if fact.kind is kind for spec in fact.subject]
    return [narrowed.get(spec, spec) for spec in specs if spec.name not in subjects]


# -- in words


def _statements(facts: Sequence[Fact], account: Account, python: str) -> Iterable[str]:
    narrowed = _narrowed(facts)
    asked = {spec.name: spec for spec in map(_parsed, account.asked)}
    for fact in facts:
        specs = [_parsed(spec) for spec in fact.subject]
        if fact.kind is Kind.NEEDS:
            # What holds for all versions holds for the one that is asked for.
            own = [spec if spec.bounds else asked.get(spec.name, spec) for spec in specs]
            needed = [narrowed.get(spec, spec) for spec in map(_parsed, fact.object)]
            yield f"{_hull(own)} needs {_hull(needed)}"
        elif fact.kind is Kind.NO_WHEELS:
            where = "this platform" if fact.why == "platform" else f"Python {python}"
            yield f"{_hull(specs)} has no wheels for {where}{_only_for(specs, account.tags)}"
        elif fact.kind is Kind.ONLY:
            missing = [f"{asked[spec.name]}, only " for spec in specs[:1] if spec.name in asked]
            yield f"there is no {missing[0]}{_hull(specs)}" if missing else f"only {_hull(specs)}"
        elif fact.kind is Kind.OTHER:
            yield fact.why
        elif fact.kind in _SAID:
            why = f" ({fact.why})" if fact.why else ""
            yield f"{_SAID[fact.kind].format(_hull(specs))}{why}"


_SAID: Final = {
    Kind.YANKED: "{} was yanked",
    Kind.NO_VERSION: "there is no {}",
    Kind.NO_PACKAGE: "there is no package {}",
    Kind.NOT_CACHED: "{} could not be asked for",
}


def _only_for(specs: Sequence[_Spec], tags: dict[str, tuple[str, ...]]) -> str:
    """Say which Pythons the wheels are for, where uv said it of exactly this version.

    Of a range uv tells of one version alone, and of that what one place of several has.
    """
    for named, own in tags.items():
        name = named.split(" ", 1)[0]
        found = [_TAG.match(tag) for tag in own]
        minors = sorted({(int(one[1]), int(one[2])) for one in found if one is not None})
        if not minors or _hull(specs) != named or any(spec.name != name for spec in specs):
            continue
        pythons = _listed([f"{major}.{minor}" for major, minor in minors])
        return f" (only for {pythons})"
    return ""


def _hull(specs: Sequence[_Spec]) -> str:
    """Put several ranges of one package as one: from the lowest to the highest."""
    if len({spec.name for spec in specs}) != 1 or len(specs) == 1:
        return " or ".join(map(str, specs))
    lowest, highest = _end(specs, "lower"), _end(specs, "upper")
    bounds = tuple(bound for bound in (lowest, highest) if bound is not None)
    return str(_Spec(specs[0].name, specs[0].extras, bounds))


def _end(specs: Sequence[_Spec], which: str) -> _Bound | None:
    """Return the bound that reaches furthest down or up; ``None`` where a range is open."""
    signs = {"lower": (">", ">=", "=="), "upper": ("<", "<=", "==")}[which]
    found: list[_Bound] = []
    for spec in specs:
        own = [bound for bound in spec.bounds if bound.sign in signs]
        if not own or _version(own[0]) is None:
            return None
        found.append(own[0])
    best = (min if which == "lower" else max)(
        found, key=lambda bound: _version(bound) or Version("0")
    )
    sign = {"lower": ">=", "upper": "<="}[which] if best.sign == "==" else best.sign
    return _Bound(sign, best.version)


def _range(bounds: Sequence[_Bound]) -> str:
    """Put bounds in words: ``0.7.0 to 0.10.2``, ``>= 0.3.1, < 0.5.0``."""
    signs = tuple(bound.sign for bound in bounds)
    if signs == (">=", "<="):
        first, last = bounds[0].version, bounds[1].version
        # uv's way to say `==` of a version that has builds with labels: >=2.13.0,<=2.13.0+cpu.
        return first if last.split("+")[0] == first.split("+")[0] else f"{first} to {last}"
    return ", ".join(map(str, bounds))


def _narrowed(facts: Sequence[Fact]) -> dict[_Spec, _Spec]:
    """Cut two ranges that exclude each other down to the two bounds that do.

    ``>=0.3.1,<0.5.0`` beside ``>=0.5.0`` is ``<0.5.0``: the rest is of no account.
    """
    ranges: dict[str, list[tuple[_Spec, ...]]] = defaultdict(list)
    for fact in facts:
        if fact.kind in (Kind.NEEDS, Kind.ASKED, Kind.HELD):
            specs = tuple(map(_parsed, fact.object or fact.subject))
            ranges[specs[0].name].append(specs)
    narrowed: dict[_Spec, _Spec] = {}
    for several in ranges.values():
        if len(several) != _PAIR or any(len(specs) != 1 for specs in several):
            continue
        one, two = several[0][0], several[1][0]
        pairs = ((left, right) for left in one.bounds for right in two.bounds)
        pair = next((pair for pair in pairs if _exclude(*pair)), None)
        if pair is not None:
            narrowed[one] = msgspec.structs.replace(one, bounds=(pair[0],))
            narrowed[two] = msgspec.structs.replace(two, bounds=(pair[1],))
    return narrowed


def _exclude(left: _Bound, right: _Bound) -> bool:
    """Tell whether no version is within both bounds."""
    one, two = _version(left), _version(right)
    if one is None or two is None:
        return False
    if left.sign == right.sign == "==":
        return one != two
    for upper, lower, high, low in ((left, right, one, two), (right, left, two, one)):
        if upper.sign in ("<", "<=", "==") and lower.sign in (">", ">=", "=="):
            both = upper.sign != "<" and lower.sign != ">"
            if high < low or (high == low and not both):
                return True
    return False


def _version(bound: _Bound) -> Version | None:
    try:
        return Version(bound.version)
    except InvalidVersion:
        return None  # a series, `2.15.*`


def _parsed(spec: str) -> _Spec:
    found = _SPEC.fullmatch(spec)
    if found is None:
        return _Spec(spec, "", ())
    bounds = tuple(_Bound(one["sign"], one["version"]) for one in _BOUND.finditer(found["bounds"]))
    return _Spec(found["name"], found["extras"] or "", bounds)


def _listed(words: Sequence[str]) -> str:
    return " and ".join((", ".join(words[:-1]), words[-1]) if len(words) > 1 else words)
