"""The gate: whether a change may go in, by expectations, a baseline, or both.

A pure function of its input: neither the order of cells, nor their repetition, nor how the run
was dealt out changes a verdict.
"""

from harness.gate.align import aligned, side_by_side
from harness.gate.alike import head_of, normalised
from harness.gate.expectations import load_expectations
from harness.gate.judge import judge, unfinished, with_latency, without_latency
from harness.gate.model import Change, Expectation, Expectations, Finding, Judgement, Stale, Word

__all__ = [
    "Change",
    "Expectation",
    "Expectations",
    "Finding",
    "Judgement",
    "Stale",
    "Word",
    "aligned",
    "head_of",
    "judge",
    "load_expectations",
    "normalised",
    "side_by_side",
    "unfinished",
    "with_latency",
    "without_latency",
]
