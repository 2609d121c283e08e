"""Which cells of a plan are run: selection and shards.  Pure."""
