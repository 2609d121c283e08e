"""Matrix files: YAML into validated axes.  Pure and deterministic."""
