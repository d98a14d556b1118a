"""Running the gateway on this machine: the rendered files, unchanged, as containers or as processes."""
