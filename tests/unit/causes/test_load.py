"""The catalogue's loader: strict, with one sentence, file and line for each slip."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.causes.cache import cached_catalogue
from harness.causes.load import read_catalogue
from harness.errors import FileFault

CAUSE = """\
group: Tests
causes:
  - id: it-broke
    means: it broke
    phase: start
    summary: "{what|It} broke."
    why: Because.
    sources: [run]
    rules:
      - text:
          - (?P<what>\\w+) is broken
        confidence: certain
    remedies:
      - id: mend
        text: Mend {what|it}.
        command: mend {what}
"""
PATTERN = "          - (?P<what>\\w+) is broken\n"
NOISE = """\
notices:
  - id: hum
    means: it hums
    lines: [hums along]
"""


def folder_with(tmp_path: Path, cause: str, noise: str = NOISE) -> Path:
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "tests.yaml").write_text(cause)
    (tmp_path / "noise.yaml").write_text(noise)
    return tmp_path


def test_reads_what_is_written(tmp_path: Path) -> None:
    catalogue = read_catalogue(folder_with(tmp_path, CAUSE))
    cause = catalogue.cause("it-broke")
    assert cause is not None
    assert cause.group == "Tests"
    assert cause.phases == ("start",)
    assert catalogue.needles[r"(?P<what>\w+) is broken"] == ("broken",)
    assert catalogue.notices[0].id == "hum"
    assert catalogue.cause("another") is None


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("means: it broke", "meaning: it broke", 3, "unknown field 'meaning'"),
        ("phase: start", "phase: begin", 5, "no phase"),
        ("id: it-broke", "id: it broke", 3, "no id"),
        ("confidence: certain", "confidence: sure", 12, "invalid enum value 'sure'"),
        ("is broken", "is (broken", 11, "no regular expression"),
        ("is broken", 'is "broken"', 11, "every quote character"),
        ("(?P<what>\\w+) is broken", "x?", 11, "empty log"),
        ("is broken", "is broken(?:[^\\n]*\\n?){0,6}", 11, "any part of a line"),
        ("is broken", "is broken #15", 11, "'#15' is lost; write '\\s#', or the pattern on the"),
        ("      - text:\n", "      - all: [x # y\n          ]\n        text:\n", 10, "# y' is"),
        (f"      - text:\n{PATTERN}", "      - unless: [x]\n", 10, "neither"),
        ("{what|It} broke", "{what} broke", 6, "{what|what to say then}"),
        ("text: Mend {what|it}.", "text: Mend {what}.", 15, "what to say then"),
        ("means: it broke", 'means: ""', 4, "empty"),
        ("{what|It} broke", "{whom|It} broke", 6, "'whom' is no group"),
        ("{what|It} broke", "{what|whom|It} broke", 6, "'whom' is no group"),
        ("mend {what}", "mend {distribution}", 16, "'distribution' is no group"),
        ("text: Mend", "when: {bridge.nam: x}\n        text: Mend", 15, "'bridge.nam' is no fact"),
        ("sources: [run]", "sources: []", 8, "no sources"),
        ("      - text:\n", "      - when: {python.existz: true}\n        text:\n", 10, "no fact"),
        ("    why: Because.", "    why: Because.\n    why: Again.", 8, "twice"),
        ("    why: Because.", "    why: [", 9, "not YAML"),
        ("    why: Because.", "    why: Because.\n    yields_to: [nobody]", None, "no cause"),
    ],
)  # fmt: skip
def test_faults(tmp_path: Path, old: str, new: str, line: int | None, said: str) -> None:
    assert old in CAUSE
    with pytest.raises(FileFault) as raised:
        read_catalogue(folder_with(tmp_path, CAUSE.replace(old, new, 1)))
    assert raised.value.line == line, str(raised.value)
    assert said.lower() in str(raised.value).lower()


def test_a_comment_cuts_no_pattern_that_is_quoted_or_stands_alone(tmp_path: Path) -> None:
    """YAML ends a text without quotes at `` #``: only there something is lost without a word."""
    for written in ("'error #15'", '"error #15"', "|-\n            error #15"):
        (tmp_path / "each").mkdir()
        text = CAUSE.replace(PATTERN, f"          - {written}\n{PATTERN}", 1)
        cause = read_catalogue(folder_with(tmp_path / "each", text)).cause("it-broke")
        assert cause is not None
        assert cause.rules[0].text[0] == "error #15"
        shutil.rmtree(tmp_path / "each")
    # A comment beside what is no pattern takes nothing away.
    text = CAUSE.replace("phase: start\n", "phase: start # where it shows\n")
    (tmp_path / "beside").mkdir()
    assert read_catalogue(folder_with(tmp_path / "beside", text)).cause("it-broke") is not None


def test_a_cut_pattern_is_found_without_checking_all_patterns(tmp_path: Path) -> None:
    """What a user's first diagnosis reads is checked, too; compiling every pattern is not."""
    folder = folder_with(tmp_path, CAUSE, NOISE.replace("[hums along]", "\n      - hums # along"))
    with pytest.raises(FileFault, match=r"noise.yaml:5: the pattern ends at ' #'"):
        read_catalogue(folder, check_patterns=False)


def test_an_id_may_stand_once(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, CAUSE)
    (folder / "catalogue" / "twice.yaml").write_text(CAUSE)
    with pytest.raises(FileFault, match=r"twice.yaml:3: 'it-broke' stands in tests.yaml already"):
        read_catalogue(folder)


def test_two_causes_do_not_yield_to_each_other(tmp_path: Path) -> None:
    other = CAUSE.split("causes:\n")[1].replace("it-broke", "other")
    both = CAUSE + other
    for name, winner in (("it-broke", "other"), ("other", "it-broke")):
        both = both.replace(f"id: {name}\n", f"id: {name}\n    yields_to: [{winner}]\n")
    with pytest.raises(FileFault, match="yield to each other"):
        read_catalogue(folder_with(tmp_path, both))


def test_an_empty_file_and_a_faulty_notice(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, CAUSE, NOISE.replace("[hums along]", "['(']"))
    with pytest.raises(FileFault, match=r"noise.yaml:4: .* no regular expression"):
        read_catalogue(folder)
    (folder / "noise.yaml").write_text("")
    with pytest.raises(FileFault, match="is empty"):
        read_catalogue(folder)
    (folder / "noise.yaml").unlink()
    with pytest.raises(FileFault, match="cannot be read: no such file"):
        read_catalogue(folder)


# --- what was read before ------------------------------------------------------------------------


def test_what_was_read_is_kept_and_never_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = folder_with(tmp_path, CAUSE)
    first = cached_catalogue(folder)
    (kept,) = (tmp_path / "cache" / "causes").glob("*.msgpack")
    assert cached_catalogue(folder) == first
    (folder / "catalogue" / "tests.yaml").write_text(CAUSE.replace("it broke", "it tore"))
    changed = cached_catalogue(folder).cause("it-broke")
    assert changed is not None
    assert changed.means == "it tore"
    assert not kept.exists()


def test_a_damaged_cache_and_one_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = folder_with(tmp_path, CAUSE)
    first = cached_catalogue(folder)
    (kept,) = (tmp_path / "cache" / "causes").glob("*.msgpack")
    kept.write_bytes(b"damaged")
    assert cached_catalogue(folder) == first
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    assert cached_catalogue(folder) == first
