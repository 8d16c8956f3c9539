"""What is true: aggregates, events, values and rules. Pure: no I/O, no clock, no randomness."""
