"""Probes: what is asked of a cell, its oracle and its stages; one module each.

The code that does the work inside a cell lies in ``harness/kit`` and with the paths.
"""
