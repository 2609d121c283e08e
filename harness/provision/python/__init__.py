"""Interpreters of this machine, and environments made on them."""
