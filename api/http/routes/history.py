"""The history of a scanner (extensions "Audit")."""

OPERATIONS = ()
