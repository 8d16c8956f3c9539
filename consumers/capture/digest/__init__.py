"""From messages to rows and blobs: facts, console lines, limits, and what is not taken in."""
