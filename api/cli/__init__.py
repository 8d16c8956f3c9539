"""The command line: running, administration, import."""
