"""The journal: an append-only account of a run, one event a line."""
