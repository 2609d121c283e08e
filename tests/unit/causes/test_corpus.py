"""Every log of the corpus gets the cause that its folder is named for, and no other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.causes import Catalogue, Evidence, diagnose
from harness.causes.load import read_catalogue
from harness.causes.log import read_log
from harness.causes.model import Fact
from harness.causes.pasted import read_pasted
from harness.causes.patterns import compile_pattern

LOGS = Path(__file__).parents[2] / "logs"
NO_CAUSE = {"benign", "unknown"}
FILES = sorted(LOGS.glob("*/*.log"))
NAMES = [f"{log.parent.name}/{log.stem}" for log in FILES]
VOCABULARY = Path(__file__).with_name("vocabulary.txt").read_text(encoding="utf-8").split()


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return read_catalogue()


def facts_of(log: Path) -> dict[str, Fact]:
    """Return the facts that lie beside a log."""
    beside = log.with_suffix(".yaml")
    facts = yaml.safe_load(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()
    }


def expected_of(log: Path) -> str | None:
    return None if log.parent.name in NO_CAUSE else log.parent.name


@pytest.mark.parametrize("log", FILES, ids=NAMES)
def test_best_cause_is_that_of_the_folder(log: Path, catalogue: Catalogue) -> None:
    diagnosis = diagnose(Evidence(text=read_pasted(str(log)), facts=facts_of(log)), catalogue)
    found = [(cause.id, cause.evidence) for cause in diagnosis.causes]
    assert (found[0][0] if found else None) == expected_of(log), found


def test_each_cause_has_two_logs(catalogue: Catalogue) -> None:
    logs = {cause.id: len(list((LOGS / cause.id).glob("*.log"))) for cause in catalogue.causes}
    assert {name for name, count in logs.items() if count < 2} == set()


def test_each_folder_is_a_cause(catalogue: Catalogue) -> None:
    ids = {cause.id for cause in catalogue.causes}
    assert {log.parent.name for log in FILES} - ids - NO_CAUSE == set()


def test_there_are_benign_logs() -> None:
    assert len(list((LOGS / "benign").glob("*.log"))) >= 20


def test_each_id_of_the_vocabulary_is_there(catalogue: Catalogue) -> None:
    assert set(VOCABULARY) - {cause.id for cause in catalogue.causes} == set()


def test_no_two_logs_are_the_same() -> None:
    contents = [log.read_bytes() for log in FILES]
    assert len(set(contents)) == len(contents)


# --- the same failure, pasted in other ways ------------------------------------------------------


def _each_line(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "\n".join(change(line) for line in text.split("\n"))


PASTED = {
    "Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "an old Mac's line ends": lambda text: text.replace("\n", "\r"),
    "colours": _each_line(lambda line: f"\x1b[31m{line}\x1b[39m"),
    "a container's prefix": _each_line(lambda line: f"r-app-1  | {line}"),
    "timestamps": _each_line(lambda line: f"2025-03-04T05:06:07.1234567Z {line}"),
    "typographic quotes": lambda text: re.sub(r"'([^'\n]*)'", "\u2018\\1\u2019", text),
    "double quotes": lambda text: re.sub(r"'([^'\n]*)'", r'"\1"', text),
    "indented": _each_line(lambda line: f"    {line}"),
    "reprex": _each_line(lambda line: f"#> {line}"),
    "notices around": lambda text: (
        "2024-05-05 10:00:00.1: I tensorflow/core/platform/cpu_feature_guard.cc:182] This "
        "TensorFlow binary is optimized to use available CPU instructions in "
        "performance-critical operations.\nTo enable the following instructions: AVX2 FMA, in "
        "other operations, rebuild TensorFlow with the appropriate compiler flags.\n"
        f"{text}\n2024-05-05 10:00:00.2: E external/local_xla/xla/stream_executor/cuda/"
        "cuda_dnn.cc:9261] Unable to register cuDNN factory: Attempting to register factory "
        "for plugin cuDNN when one has already been registered\n"
    ),
}


@pytest.mark.parametrize("way", PASTED)
def test_the_way_of_pasting_changes_nothing(way: str, catalogue: Catalogue) -> None:
    other = {}
    # Each way with a third of the logs: all of them, in every way, would take a minute.
    for log in FILES[list(PASTED).index(way) % 3 :: 3]:
        text = PASTED[way](read_pasted(str(log)).replace("\r\n", "\n"))
        causes = diagnose(Evidence(text=text, facts=facts_of(log)), catalogue).causes
        found = causes[0].id if causes else None
        if found != expected_of(log):
            other[f"{log.parent.name}/{log.stem}"] = found
    assert other == {}


def test_no_pattern_fits_where_its_needles_are_not(catalogue: Catalogue) -> None:
    """What the matcher passes over unread would not have fitted."""
    wrong = []
    for log in FILES[::10]:
        text = read_log(read_pasted(str(log))).text
        lowered = text.lower()
        for pattern, needles in catalogue.needles.items():
            absent = needles and not any(needle in lowered for needle in needles)
            if absent and compile_pattern(pattern).search(text):
                wrong.append((log.name, pattern, needles))
    assert wrong == []
