"""Actions: what is due is run, a report or an alert is written of it, and it is delivered."""
