"""Can this cell exist?  Exact versions from uv's resolver, or the reason why there are none.

Installs nothing.  :class:`Resolver` is all that the other parts need.
"""

from harness.resolve.explain import NoSolution
from harness.resolve.frameworks import Request, request
from harness.resolve.resolver import Resolver

__all__ = ["NoSolution", "Request", "Resolver", "request"]
