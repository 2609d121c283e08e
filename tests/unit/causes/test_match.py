"""The judge: ranking, giving way, facts and text together, and saying nothing."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.causes.entries import Catalogue, Cause, Notice, RemedyEntry
from harness.causes.match import judge
from harness.causes.model import Change, Diagnosis, Evidence, Fact


def cause(name: str, *rules: dict[str, Any], **more: Any) -> Cause:
    plain: dict[str, Any] = {
        "id": name,
        "means": name,
        "phase": ["start", "import"],
        "summary": f"{name}: {{what|nothing}}",
        "why": "w",
        "sources": ["run"],
        "rules": list(rules),
        "remedies": [{"id": "r", "text": "t"}],
    }
    return msgspec.convert(plain | more, Cause)


def judged(text: str, *causes: Cause, facts: dict[str, Fact] | None = None) -> Diagnosis:
    notices = (Notice(id="hum", means="it hums", lines=("hums along",)),)
    catalogue = Catalogue(causes=causes, notices=notices)
    return judge(Evidence(text=text, facts=facts or {}), catalogue)


def ids(diagnosis: Diagnosis) -> list[str]:
    return [item.id for item in diagnosis.causes]


A = cause("a", {"text": ["apple"], "confidence": "certain"})
B = cause("b", {"text": ["banana"], "confidence": "certain"})
LIKELY = cause("likely", {"text": ["lemon"], "confidence": "likely"})
POSSIBLE = cause("possible", {"text": ["plum"], "confidence": "possible"})


def test_the_first_of_equals_wins() -> None:
    assert ids(judged("banana\napple", A, B)) == ["b", "a"]
    assert ids(judged("apple\nbanana", A, B)) == ["a", "b"]


def test_the_more_certain_wins_wherever_it_stands() -> None:
    assert ids(judged("lemon\napple", A, LIKELY)) == ["a", "likely"]


def test_what_is_merely_possible_is_left_away_beside_something_certain() -> None:
    diagnosis = judged("plum\napple", A, POSSIBLE)
    assert ids(diagnosis) == ["a"]
    assert [item.id for item in diagnosis.ruled_out] == ["possible"]
    assert ids(judged("plum", A, POSSIBLE)) == ["possible"]


def test_a_wrapper_gives_way_to_any_other() -> None:
    wrapper = cause(
        "wrapper",
        {"text": ["outer"], "confidence": "certain", "wrapper": True},
        {"text": ["inner word"], "confidence": "certain"},
    )
    assert ids(judged("outer\nlemon", wrapper, LIKELY)) == ["likely"]
    assert ids(judged("outer", wrapper, LIKELY)) == ["wrapper"]
    assert ids(judged("outer inner word\nlemon", wrapper, LIKELY)) == ["wrapper", "likely"]


def test_a_cause_yields_to_those_that_it_names() -> None:
    meek = cause("meek", {"text": ["apple"], "confidence": "certain"}, yields_to=["likely"])
    diagnosis = judged("apple\nlemon", meek, LIKELY)
    assert ids(diagnosis) == ["likely"]
    assert diagnosis.ruled_out[0].reason == "likely explains it"


def test_facts_come_before_text_and_both_together_are_more() -> None:
    told = cause("told", {"when": {"python.exists": "false"}, "confidence": "certain"})
    assert ids(judged("apple", A, told, facts={"python.exists": False})) == ["told", "a"]
    both = cause("both", {"when": {"exit.code": "1"}, "text": ["lemon"], "confidence": "likely"})
    found = judged("apple\nlemon", A, both, facts={"exit.code": 1}).causes
    assert [item.id for item in found] == ["a", "both"]
    assert found[1].confidence == 0.99
    assert found[1].evidence == ("exit.code = 1", "line 2: lemon")
    sure = cause("sure", {"when": {"exit.code": "1"}, "text": ["lemon"], "confidence": "certain"})
    facts: dict[str, Fact] = {"exit.code": 1, "python.exists": False}
    assert ids(judged("apple\nlemon", A, told, sure, facts=facts)) == ["sure", "told", "a"]


def test_all_and_unless() -> None:
    strict = cause("strict", {"text": ["apple", "pear"], "all": ["tree"], "unless": ["pie"]})
    assert ids(judged("pear\ntree", strict)) == ["strict"]
    assert ids(judged("pear", strict)) == []
    assert ids(judged("pear\ntree\npie", strict)) == []


def test_names_are_filled_in_and_what_is_not_known_is_left_away() -> None:
    filled = cause(
        "filled",
        {"text": [r"no (?P<what>\w+) here( in (?P<python_version>\S+))?"]},
        summary="No {what|thing} in {python.version|a Python} {{x}}.",
        remedies=[
            RemedyEntry(
                id="r",
                text="Bring {what|it}.",
                command="bring {what} {python.version}",
                apply=Change(requirements=("{what}>=1",), env={"A": "{python.version}"}),
            )
        ],
    )
    (known,) = judged("No Pear here in 3.9", filled).causes
    assert known.summary == "No Pear in 3.9 {x}."
    assert known.remedies[0].command == "bring Pear 3.9"
    assert known.remedies[0].apply == Change(requirements=("Pear>=1",), env={"A": "3.9"})
    (unknown,) = judged("no pear here", filled).causes
    assert unknown.summary == "No pear in a Python {x}."
    assert unknown.remedies[0].command is None
    assert unknown.remedies[0].apply is None
    (by_fact,) = judged("no pear here", filled, facts={"python.version": "3.8.1"}).causes
    assert by_fact.remedies[0].command == "bring pear 3.8.1"


def test_facts_may_stand_in_for_a_group() -> None:
    either = cause(
        "either",
        {"text": ["pear( (?P<python>/\\S+))?"]},
        summary="{python|python.requested|python.executable|A Python} it is.",
        remedies=[{"id": "r", "text": "t", "command": "run {python|python.requested}"}],
    )
    (found,) = judged("pear /a", either, facts={"python.requested": "/b"}).causes
    assert (found.summary, found.remedies[0].command) == ("/a it is.", "run /a")
    (found,) = judged("pear", either, facts={"python.requested": "/b"}).causes
    assert (found.summary, found.remedies[0].command) == ("/b it is.", "run /b")
    (found,) = judged("pear", either, facts={"python.executable": "/c"}).causes
    assert (found.summary, found.remedies[0].command) == ("/c it is.", None)
    (found,) = judged("pear", either).causes
    assert found.summary == "A Python it is."


def test_phase_is_the_facts_own_else_that_of_the_best_cause() -> None:
    assert judged("apple", A).phase == "start"
    assert judged("apple", A, facts={"phase": "import"}).phase == "import"
    assert judged("nothing", A, facts={"phase": "train"}).phase == "train"
    assert judged("nothing", A).phase is None


def test_nothing_is_guessed_and_a_failure_is_named_all_the_same() -> None:
    diagnosis = judged("all is well", A)
    assert (ids(diagnosis), diagnosis.unexplained, diagnosis.examined) == ([], None, 1)
    diagnosis = judged(
        'x\nTraceback (most recent call last):\n  File "a.py", line 1\nKeyError: "k"\n', A
    )
    assert ids(diagnosis) == []
    assert diagnosis.unexplained == 'line 4: KeyError: "k"'


def test_a_notice_is_no_failure_and_says_where_it_stood() -> None:
    diagnosis = judged("one\nError: apple hums along", A)
    assert ids(diagnosis) == []
    assert diagnosis.unexplained is None
    assert diagnosis.ruled_out[0].reason == "line 2 is harmless: it hums"


def test_facts_that_speak_against_a_cause_rule_it_out() -> None:
    old = cause("old", {"when": {"bridge.name": "reticulate", "bridge.version": "<1.38"}})
    facts: dict[str, Fact] = {"bridge.name": "reticulate", "bridge.version": "1.41"}
    diagnosis = judged("", old, facts=facts)
    assert [(item.id, item.reason) for item in diagnosis.ruled_out] == [
        ("old", "bridge.version is 1.41")
    ]


def test_facts_are_read_from_the_log_and_given_ones_win() -> None:
    old = cause("old", {"when": {"bridge.version": "<1.38", "numpy.version": ">=2"}})
    log = "R version 4.2.2 (2022-10-31)\n[1] reticulate_1.28 Rcpp_1.0\nnumpy==2.0.1\n"
    assert ids(judged(log, old)) == ["old"]
    assert ids(judged(log, old, facts={"bridge.version": "1.41"})) == []


def test_a_word_cut_at_the_margin_is_found() -> None:
    word = cause("word", {"text": ["pomegranate"]})
    line = "x" * 76 + " pomegranate"
    assert ids(judged(f"{line[:80]}\n{line[80:]}", word)) == ["word"]
