"""Where browsers send recordings and ask how to record (capture 1, 8).

The only routes with CORS, and the only ones without an API key: a project token, which is public, says whose
data it is.
"""

from api.http.routes.capture.table import mount, open_to_pages, threads

__all__ = ("mount", "open_to_pages", "threads")
