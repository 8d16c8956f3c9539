"""The write side: one module per noun. The only code that appends events."""
