"""Every cause of the corpus is made to happen, named, and its remedy helps.

``nox -s bench -- causes`` runs all of it and writes the table of the documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.causes.load import read_catalogue
from tests.live.causes.bench import Bench
from tests.live.causes.case import Case, happen
from tests.live.causes.corpus import CASES

REPLAYED = Path(__file__).with_name("replayed.yaml")


def parameter(case: Case) -> object:
    marks = [pytest.mark.live, *([] if case.quick else [pytest.mark.long])]
    return pytest.param(case, id=str(case), marks=marks)


@pytest.mark.parametrize("case", [parameter(case) for case in CASES])
def test_it_is_named_and_its_remedy_helps(
    bench: Bench, case: Case, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    outcome = happen(case, bench, tmp_path)
    record_property("outcome", outcome.record())
    assert outcome.named == case.cause, outcome.report
    if case.layer is not None:
        assert outcome.at == case.layer
    if case.place is not None:
        place = outcome.report["place"]
        assert (place["line"], place["argument"], place["instead"]) == case.place
    assert outcome.verified is True, outcome.report


def test_each_cause_of_the_catalogue_is_made_to_happen_or_says_why_not() -> None:
    replayed = yaml.safe_load(REPLAYED.read_text(encoding="utf-8"))
    made = {case.cause for case in CASES}
    known = {cause.id for cause in read_catalogue().causes}
    assert made | set(replayed) == known
    assert not made & set(replayed), "made to happen, and said not to be"
    assert all(len(reason) > 20 for reason in replayed.values())


def test_each_remedy_is_one_of_its_cause() -> None:
    known = {
        cause.id: {remedy.id for remedy in cause.remedies} for cause in read_catalogue().causes
    }
    assert [str(case) for case in CASES if case.remedy not in known[case.cause]] == []


def test_no_two_cases_are_one() -> None:
    names = [str(case) for case in CASES]
    assert len(names) == len(set(names))
