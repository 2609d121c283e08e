"""What is documented of versions: which go together, who says so, and when it was read.

The facts are data (``matrices/support/``); :func:`documented` judges with them.  Pure but for
reading those files.
"""

from harness.support.facts import Fact, Source, Subject
from harness.support.judge import Verdict, agrees, documented, facts_about
from harness.support.known import known_of_axes, known_of_record
from harness.support.load import load_support

__all__ = [
    "Fact",
    "Source",
    "Subject",
    "Verdict",
    "agrees",
    "documented",
    "facts_about",
    "known_of_axes",
    "known_of_record",
    "load_support",
]
