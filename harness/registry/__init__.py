"""What a package index has: releases, their dates, their wheels, the Pythons that they are for.

:class:`Registry` is all that the other parts need.  No stage: it asks, and judges nothing.
"""

from harness.registry.registry import MAX_AGE, Registry
from harness.registry.release import Release

__all__ = ["MAX_AGE", "Registry", "Release"]
