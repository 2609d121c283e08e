"""Where the cells of a run are measured: by this process, or by the workers of a cluster."""
