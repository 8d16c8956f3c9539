"""The event store: the log, the guard rows and private text of one database."""
