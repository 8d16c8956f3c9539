"""What browsers post, as messages: all that came in one moment goes out together."""
