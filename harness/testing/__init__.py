"""The pytest plugin: matrices as tests, and cells for tests of one's own.

pytest loads it by itself (entry point ``pytest11``), in every project where the harness is
installed: nothing is imported before a matrix or a fixture is asked for.
"""
