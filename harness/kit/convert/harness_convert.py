"""The probe ``convert`` in Python: carries values, and has it told what arrived.

Both languages have the same four functions, which the path's driver calls over its bridge:
``take(name, value)`` describes a value of the other language and keeps it, ``give_back()`` returns
it, ``make(name)`` returns a value of this language, and ``check(name, value)`` describes what came
back of it.  The same for R is in ``convert.R``.

The standard library alone, Python 3.7 to 3.14; numpy, pandas and scipy where a value is made of
them.
"""

from __future__ import annotations

import json
import logging
import os
import types
import warnings

import harness_kit as kit
from convert_descriptions import describe
from convert_values import blocks, build, fixture
from convert_watch import supervise

__all__ = ["blocks", "build", "carry", "check", "describe", "give_back", "is_child", "make"]
__all__ += ["note", "supervise", "take"]

MOST_TEXT = 300

# --- What both languages have -----------------------------------------------------------------

HELD = {}


def take(name, value):
    """Describe a value of R's that has arrived, and keep it."""
    note(name, "there", got=describe(value))
    HELD["value"] = value


def give_back():
    """Return what was taken."""
    return HELD["value"]


def make(name):
    """Return a value of this language."""
    value = build(fixture(name)["value"])
    note(name, "made", got=describe(value))
    return build(fixture(name)["value"]) if isinstance(value, types.GeneratorType) else value


def check(name, value):
    """Describe what came back of a value of this language."""
    note(name, "back", got=describe(value))


def note(name, leg, **fields):
    """Append a line to the results; it is in the file when this returns."""
    line = json.dumps(kit.plain(dict(fields, name=name, leg=leg))) + "\n"
    with open(os.environ["HARNESS_CONVERT_RESULTS"], "ab") as file:
        file.write(line.encode("ascii"))


# --- Where Python is the host -----------------------------------------------------------------


def is_child():
    """Say whether this process is to try values, not to have them tried."""
    return "HARNESS_CONVERT_LIST" in os.environ


class Heard:
    """What is said beside a value while it crosses: warnings, and what rpy2 logs of R's."""

    NO_LOSS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning)

    def __enter__(self):
        self.lines = []
        self._catch = warnings.catch_warnings(record=True)
        self._caught = self._catch.__enter__()
        warnings.simplefilter("always")
        self._handler = logging.Handler()
        self._handler.emit = lambda record: self.lines.append(record.getMessage())
        self._logger = logging.getLogger("rpy2")
        self._logger.addHandler(self._handler)
        return self

    def __exit__(self, kind, value, trace):
        self._logger.removeHandler(self._handler)
        self._catch.__exit__(kind, value, trace)
        for one in self._caught:
            if not issubclass(one.category, self.NO_LOSS):
                self.lines.append(str(one.message))
        self.lines = [line[:MOST_TEXT] for line in self.lines]


def carry(ask, refuses=()):
    """Try the values that this process was started for.

    ``ask(function, *arguments)`` calls one of the four functions in R; an exception of a class of
    ``refuses`` is the bridge's own word that it cannot carry a value.
    """
    with open(os.environ["HARNESS_CONVERT_LIST"], encoding="utf-8") as file:
        wanted = [line.split() for line in file]
    for origin, name in wanted:
        note(name, "begin")
        try:
            if origin == "r":
                _carry_theirs(ask, name, refuses)
            else:
                _carry_ours(ask, name, refuses)
        except kit.Unavailable as error:
            note(name, "there", unavailable=str(error))
        except Exception as error:
            # Not the bridge's: the code here could not tell what it was given.
            note(name, "fault", message=kit.headline(error)[:MOST_TEXT])
        note(name, "end")


def _carry_theirs(ask, name, refuses):
    ended, value = _tried(lambda: ask("make", name), refuses)
    if "error" not in ended and "unsupported" not in ended:
        ended["got"] = describe(value)
    note(name, "there", **ended)
    if "got" in ended:
        note(name, "back", **_tried(lambda: ask("check", name, value), refuses)[0])


def _carry_ours(ask, name, refuses):
    value = make(name)
    ended, _ = _tried(lambda: ask("take", name, value), refuses)
    note(name, "there", **ended)
    if "error" not in ended and "unsupported" not in ended:
        ended, back = _tried(lambda: ask("give_back"), refuses)
        if "error" not in ended and "unsupported" not in ended:
            ended["got"] = describe(back)
        note(name, "back", **ended)


def _tried(work, refuses):
    """Return what is to be noted of a crossing, and its value."""
    value = None
    with Heard() as heard:
        try:
            value = work()
            found = {}
        except refuses as error:
            found = {"unsupported": kit.headline(error)[:MOST_TEXT]}
        except kit.Unavailable:
            raise
        except (Exception, SystemExit) as error:
            found = {"error": kit.headline(error)[:MOST_TEXT]}
    if heard.lines:
        found["warnings"] = heard.lines[:5]
    return found, value
