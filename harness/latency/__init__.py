"""Is head slower than base?  The design of a paired comparison, and its verdict: pure functions."""
