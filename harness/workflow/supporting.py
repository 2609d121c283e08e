"""Recorded support ranges against what the package index's own metadata say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.errors import MachineFault, Unavailable
from harness.provision.pipconfig import package_sources
from harness.provision.store import FolderStore, default_root
from harness.registry import MAX_AGE, Registry, Release
from harness.registry.release import PYTHONS
from harness.support import Fact, Subject, load_support

DEPENDENCIES: Final = ("keras", "numpy")
"""Axes that are packages, which a subject requires in its metadata."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One disagreement of what is recorded with what the index has.

    ``kind`` is ``python``, ``numpy``, ``keras``, or ``not recorded``.  ``recorded`` and
    ``index`` are the two sides; ``releases`` are the versions that differ in this way.
    ``place`` is the file and line of the fact, ``source`` and ``date`` are who says it; they
    are ``None`` where nothing is recorded.
    """

    subject: str
    kind: str
    releases: tuple[str, ...]
    recorded: str
    index: str
    place: str | None = None
    source: str | None = None
    date: str | None = None


class Unchecked(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that no package index can be asked about, and why."""

    subject: str
    why: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the comparison; ``checked`` counts pairs of a fact and a release."""

    ok: bool
    checked: int
    disagreements: tuple[Difference, ...]
    not_checked: tuple[Unchecked, ...]
    notes: tuple[str, ...]


def check_support(*, max_age: timedelta = MAX_AGE) -> Check:
    """Compare every recorded fact with the configured package index.

    Parameters
    ----------
    max_age
        How old an answer of the index may be that is kept.

    Raises
    ------
    FileFault
        A file of facts is faulty.
    MachineFault
        The index is out of reach, and what it said before is not kept.
    """
    subjects = load_support()
    with FolderStore(default_root()) as store:
        registry = Registry(store, package_sources(), max_age=max_age)
        try:
            return compare(subjects, registry)
        except Unavailable as error:
            raise MachineFault(f"the recorded ranges cannot be checked: {error}") from None


def compare(subjects: Iterable[Subject], registry: Registry) -> Check:
    """Compare facts with what ``registry`` says; raises ``Unavailable`` where it cannot."""
    found: list[Difference] = []
    skipped: list[Unchecked] = []
    checked = 0
    for subject in subjects:
        if not subject.packages:
            why = "no Python package: a package index knows nothing of it"
            skipped.append(Unchecked(subject=subject.name, why=why))
            continue
        releases = [one for one in registry.releases(subject.packages[0]) if _counts(one)]
        if not releases:
            why = f"the configured package index has no {subject.packages[0]}"
            skipped.append(Unchecked(subject=subject.name, why=why))
            continue
        comparison = _Comparison(subject, releases, registry)
        found += comparison.differences()
        checked += comparison.checked
        skipped += comparison.skipped
    return Check(
        ok=not found,
        checked=checked,
        disagreements=tuple(found),
        not_checked=tuple(skipped),
        notes=registry.notes,
    )


class _Comparison:
    def __init__(self, subject: Subject, releases: Sequence[Release], registry: Registry) -> None:
        self.subject, self.releases, self.registry = subject, releases, registry
        self.checked = 0
        self.skipped: list[Unchecked] = []

    def differences(self) -> list[Difference]:
        """Every disagreement on the subject, by fact, and one on what is not recorded."""
        found: list[Difference] = []
        for fact in self.subject.facts:
            if fact.axis == "python":
                told = [(release, self._python(fact, release)) for release in self._of(fact)]
            elif fact.axis in DEPENDENCIES:
                told = [(release, self._dependency(fact, release)) for release in self._of(fact)]
            else:
                continue
            found += _grouped(fact, told)
        return [*found, *self._not_recorded()]

    def _of(self, fact: Fact) -> list[Release]:
        range_ = SpecifierSet(fact.of)
        return [one for one in self.releases if range_.contains(one.version, prereleases=True)]

    def _python(self, fact: Fact, release: Release) -> str | None:
        """What the index says of the Pythons where that differs."""
        files = [release, *self._parts(release)]
        files = [one for one in files if one.wheels]
        if not any(one.pythons for one in files):
            return None  # sources alone, or no wheel for this platform: no word on Python
        self.checked += 1
        have = [python for python in PYTHONS if all(python in one.pythons for one in files)]
        want = [python for python in PYTHONS if SpecifierSet(fact.range).contains(python)]
        if all(one.is_pure for one in files):
            # Wheels for every Python have no upper end: only the lower one can be compared.
            top = want[-1] if want else have[-1]
            have = [python for python in have if _minor(python) <= _minor(top)]
        return None if have == want else _spelled(have)

    def _parts(self, release: Release) -> list[Release]:
        """The same release of the subject's other packages, or the newest before it."""
        found = []
        for package in self.subject.packages[1:]:
            fitting = [
                one
                for one in self.registry.releases(package)
                if Version(one.version) <= Version(release.version) and _counts(one)
            ]
            found += fitting[-1:]
        return found

    def _dependency(self, fact: Fact, release: Release) -> str | None:
        """What the metadata require where that takes in other releases than the fact does."""
        metadata = self.registry.metadata(self.subject.packages[0], release.version)
        if metadata is None:
            why = f"no metadata of {release.version} within reach, so {fact.axis} is not compared"
            self.skipped.append(Unchecked(subject=self.subject.name, why=why))
            return None
        self.checked += 1
        python = _a_python(fact, release)
        required = _required(metadata.get("requires_dist", []), fact.axis, python)
        if required is None:
            return "not required"
        known = [one.version for one in self.registry.releases(fact.axis) if not one.is_prerelease]
        ours, theirs = SpecifierSet(fact.range), required
        same = all(ours.contains(one) == theirs.contains(one) for one in known)
        return None if same else str(theirs) or "any"

    def _not_recorded(self) -> list[Difference]:
        """The releases after all that is recorded, in one."""
        facts = [fact for fact in self.subject.facts if fact.axis == "python"]
        covered = [Version(release.version) for fact in facts for release in self._of(fact)]
        newest = max(covered, default=None)
        new = [
            release
            for release in self.releases
            if newest is None or Version(release.version) > newest
        ]
        if not new:
            return []
        last = new[-1]
        day = f", {last.published}" if last.published else ""
        return [
            Difference(
                subject=self.subject.name,
                kind="not recorded",
                releases=tuple(release.version for release in new),
                recorded=f"nothing after {newest}" if newest else "nothing",
                index=f"{last.version}{day}, Python {_spelled(last.pythons)}",
            )
        ]


def _counts(release: Release) -> bool:
    """Whether a release is one of the makers': no preview, not taken back, nobody's own build."""
    is_own_build = Version(release.version).local is not None
    return not (release.is_prerelease or release.yanked or is_own_build)


def _grouped(fact: Fact, told: Iterable[tuple[Release, str | None]]) -> list[Difference]:
    by_text: dict[str, list[str]] = {}
    for release, text in told:
        if text is not None:
            by_text.setdefault(text, []).append(release.version)
    given = "".join(f" where {axis} is {range_}" for axis, range_ in fact.given)
    return [
        Difference(
            subject=fact.subject,
            kind=fact.axis,
            releases=tuple(versions),
            recorded=f"{fact.axis} {fact.range}{given}",
            index=text,
            place=fact.place,
            source=fact.source.text,
            date=fact.source.date,
        )
        for text, versions in by_text.items()
    ]


def _required(lines: Iterable[str], name: str, python: str) -> SpecifierSet | None:
    """What is required of a package on a minor of Python, in the platform's own terms."""
    found: SpecifierSet | None = None
    environment = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    for line in lines:
        try:
            one = Requirement(line)
        except InvalidRequirement:
            continue
        if one.name.lower() == name and (one.marker is None or one.marker.evaluate(environment)):
            found = one.specifier if found is None else found & one.specifier
    return found


def _a_python(fact: Fact, release: Release) -> str:
    """A Python that a fact holds for: the newest that the release has a wheel for."""
    conditions = [SpecifierSet(text) for axis, text in fact.given if axis == "python"]
    fitting = [
        python
        for python in release.pythons or PYTHONS
        if all(one.contains(python) for one in conditions)
    ]
    return fitting[-1] if fitting else PYTHONS[-1]


def _spelled(pythons: Sequence[str]) -> str:
    """``3.9 to 3.12``, with what is missing between told."""
    if not pythons:
        return "none"
    first, last = pythons[0], pythons[-1]
    between = PYTHONS[PYTHONS.index(first) : PYTHONS.index(last) + 1]
    missing = [python for python in between if python not in pythons]
    text = first if first == last else f"{first} to {last}"
    return text + (f" without {', '.join(missing)}" if missing else "")


def _minor(python: str) -> int:
    return int(python.partition(".")[2])


# --- as text and as JSON ----------------------------------------------------------------------


def as_text(check: Check) -> str:
    """Return the comparison for people, each disagreement with both sides."""
    blocks = []
    for one in check.disagreements:
        head = f"{one.subject} {', '.join(one.releases)}: {one.kind}"
        said = f" ({one.source}, {one.date}; {one.place})" if one.source else ""
        blocks.append(f"{head}\n    recorded: {one.recorded}{said}\n    index:    {one.index}")
    total = len(check.disagreements)
    count = {0: "no disagreement", 1: "1 disagreement"}.get(total, f"{total} disagreements")
    ends = [f"{count} in {check.checked} comparisons of a recorded range with a release"]
    ends += [f"not compared: {one.subject}: {one.why}" for one in check.not_checked]
    ends += check.notes
    return "\n\n".join([*blocks, "\n".join(ends)])


def as_json(check: Check) -> str:
    """Return the comparison as JSON: ``ok``, ``disagreements[]`` with both sides, and the rest."""
    return msgspec.json.format(msgspec.json.encode(check), indent=2).decode()
