"""A recording read back, in the order of time."""
