"""Typed reads. Whatever touches a tenant's tables takes a Tenant; values are bound, never put into SQL.

Documents are dicts in the contract's shape and key order, with datetimes, UUIDs and numbers as Python values.
"""
