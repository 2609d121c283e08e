"""What is derived for publication from the results document: pure functions, no files, no clock.

``ranges`` are the versions that go together, ``advice`` is which path to use, ``claims`` holds an
article's claims against the results, ``changes`` compares two documents.  Each number is a
:class:`~harness.published.figure.Figure`, which says of which cells it is.  Formats that need
one of them stand here, too: ``badges`` and ``feed``.
"""
