"""Report formats: each a pure function of the results document.

To add one: a module with a ``REPORT`` object (see ``base.Report``), named by an entry point
of the group ``harness.reports``.
"""
