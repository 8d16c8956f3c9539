from tests.projections.conftest import connection, store, world

__all__ = ["connection", "store", "world"]
