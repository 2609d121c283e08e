"""Which combinations of R, Python, framework and CUDA work, over which bridge, and why not."""

__version__ = "0.1.0"
