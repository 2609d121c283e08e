"""Can this cell exist?  Exact versions from uv's resolver, or the reason why there are none.

Installs nothing.  :class:`Resolver` is all that the other parts need.
"""

from harness.resolve.asking import Answered
from harness.resolve.explain import NoSolution
from harness.resolve.frameworks import Request, request
from harness.resolve.python import Absent, Python
from harness.resolve.resolver import Resolver
from harness.resolve.uv import Unreached

__all__ = [
    "Absent",
    "Answered",
    "NoSolution",
    "Python",
    "Request",
    "Resolver",
    "Unreached",
    "request",
]
