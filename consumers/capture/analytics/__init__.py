"""What a site's own analytics say about a session and its visitor: taken in, bounded, stored, joined to persons."""
