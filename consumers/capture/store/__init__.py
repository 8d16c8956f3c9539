"""Where recordings lie: a folder or an S3-compatible store."""
