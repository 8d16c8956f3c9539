from pathlib import Path

import pytest
from psycopg_pool import ConnectionPool

from tests.capture.traffic import Capture


@pytest.fixture
def capture(pool: ConnectionPool, tmp_path: Path) -> Capture:
    return Capture(pool, tmp_path / "blobs")
