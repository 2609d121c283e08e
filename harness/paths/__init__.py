"""Integration paths: one folder each, registered through the entry points ``harness.paths``."""
