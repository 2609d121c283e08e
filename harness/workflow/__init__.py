"""The whole program, put together from its parts: what the verbs call."""
