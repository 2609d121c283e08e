"""The typed values of ``matrices/fixtures``, as the oracle reads them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import yaml

from harness.errors import FileFault, MachineFault
from harness.nodes import read_document

ORIGINS: Final = ("r", "python")


class Fixture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value of one language, and what the other makes of it where nothing is lost.

    ``value`` is a typed tree, in the types of its own language; ``is_``, where the tree says how
    to make it rather than what it is, says that.  ``r`` and ``python`` name the counterpart;
    ``as_`` are other kinds of elements that are as good there.  Where the value ``must`` survive,
    a path on which it does not fails.
    """

    name: str
    origin: Literal["r", "python"] = msgspec.field(name="from")
    value: dict[str, Any]
    is_: dict[str, Any] = msgspec.field(name="is", default={})
    r: str = ""
    python: str = ""
    as_: tuple[str, ...] = msgspec.field(name="as", default=())
    must: bool = False

    @property
    def tree(self) -> dict[str, Any]:
        """What the value is."""
        return self.is_ or self.value

    @property
    def counterpart(self) -> str:
        """What the other language makes of it."""
        return self.python if self.origin == "r" else self.r


def folder() -> Path:
    """Return the folder of the fixtures: that of the checkout, or the copy in the package.

    Raises
    ------
    MachineFault
        If the installation has lost it.
    """
    package = Path(__file__).parent
    for place in (package.parents[2] / "matrices" / "fixtures", package / "fixtures"):
        if place.is_dir():
            return place
    raise MachineFault(
        "the fixtures of the probe convert are missing from this installation; install it anew"
    )


@cache
def load_fixtures(place: Path | None = None) -> tuple[Fixture, ...]:
    """Return the fixtures of every file of a folder, in order; by default, the harness's own.

    Raises
    ------
    FileFault
        One sentence on the first fault, with the file and the entry.
    """
    found: dict[str, Fixture] = {}
    for path in sorted((folder() if place is None else place).glob("*.yaml")):
        source, root = read_document(path, "fixture", "write '- {\"name\": ...}'")
        if not isinstance(root, yaml.SequenceNode):
            raise FileFault(source, "is no list; begin each fixture with '- {'", line=1)
        try:
            entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.MarkedYAMLError as error:
            line = None if error.problem_mark is None else error.problem_mark.line + 1
            raise FileFault(source, f"is no JSON here: {error.problem}", line=line) from None
        except ValueError as error:
            # A day that no month has, or thousands of digits.
            raise FileFault(source, f"has a value that cannot be made ({error})") from None
        for node, entry in zip(root.value, entries, strict=True):
            line = node.start_mark.line + 1
            try:
                fixture = msgspec.convert(entry, Fixture)
            except msgspec.ValidationError as error:
                raise FileFault(source, f"is no fixture: {error}", line=line) from None
            if fixture.name in found:
                raise FileFault(source, f"has a second fixture {fixture.name!r}", line=line)
            found[fixture.name] = fixture
    return tuple(found.values())
