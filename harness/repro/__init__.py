"""The smallest folder that does what a cell did, for people who do not have the harness.

Pure: from what is known of a cell to the text of a few files.
"""

from __future__ import annotations

from harness.repro.case import Build, Case, Compile, Lines
from harness.repro.folder import write
from harness.repro.reproducer import Reproducer, reproducer

__all__ = ["Build", "Case", "Compile", "Lines", "Reproducer", "reproducer", "write"]
