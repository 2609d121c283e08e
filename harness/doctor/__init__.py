"""Examines the environment as it is: layer after layer, changing nothing.

``examine`` takes a ``Request`` and returns a ``Report``: which layers were reached, in which
order the bridge looks for Python, and, where a layer fails, the causes with their evidence.
"""

from __future__ import annotations

from harness.doctor.examination import examine
from harness.doctor.model import Report, Request

__all__ = ["Report", "Request", "examine"]
