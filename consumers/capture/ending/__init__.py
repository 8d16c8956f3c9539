"""Sessions that are over, deleted, or past their days."""
