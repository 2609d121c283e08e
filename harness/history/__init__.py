"""Results of many runs in one database, and the steps in them.

A pure function of the results documents that were added: the database is a file of SQLite, which
the standard library reads, and can be made anew from the documents at any time.
"""

from harness.history.database import Database
from harness.history.model import Key, Reading, Series, Step
from harness.history.steps import find_steps

__all__ = ["Database", "Key", "Reading", "Series", "Step", "find_steps"]
