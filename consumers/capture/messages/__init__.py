"""The messages of the topic `snapshots`, and what is too large for one."""
