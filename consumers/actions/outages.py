"""What means "not now" to a worker of actions: the database is away. No run fails because of it."""

import psycopg
from psycopg_pool import PoolTimeout

from commands.store.application import STORE_OUTAGES

OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, *STORE_OUTAGES)
