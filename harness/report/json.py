"""The results document itself, as ``results.json`` has it."""

from __future__ import annotations

from harness.model.document import Results, encode
from harness.report.base import DEFAULTS, Options


class _Json:
    name = "json"

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:  # noqa: ARG002
        """Return ``results.json``."""
        return encode(results).decode()


REPORT = _Json()
