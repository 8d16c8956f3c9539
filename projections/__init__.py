"""The read side: what is built from events, and how it is read. Nothing else writes read tables."""
