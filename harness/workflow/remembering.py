"""Results into the history, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.history.database import Database
from harness.history.show import Seen
from harness.history.steps import fewest, find_steps
from harness.results.load import load


def remember(file: Path, folders: Sequence[Path]) -> Seen:
    """Add the results in ``folders`` to the database ``file``; return what is in it, and its steps.

    Raises
    ------
    UsageError
        A folder holds no results, or ``file`` is no database.
    MachineFault
        ``file`` cannot be written, or the package that finds steps is not installed.
    """
    # All are read before one is added: a faulty folder leaves the database as it was.
    documents = [load(folder) for folder in folders]
    with Database(file) as database:
        added = sum(database.add(document) for document in documents)
        every = list(database.series())
    enough = fewest()
    watched = [one for one in every if len(one.readings) >= enough]
    return Seen(
        added=added,
        series=len(every),
        readings=sum(len(one.readings) for one in every),
        watched=len(watched),
        steps=tuple(step for one in watched for step in find_steps(one)),
    )
