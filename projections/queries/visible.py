"""Which recorded sessions there are for readers: those that nobody has deleted and that retention keeps."""

from datetime import datetime
from typing import Any

from domain.tenant import Tenant

KEPT_SINCE = """(
    %(now)s::timestamptz - make_interval(hours => 24 * (
        SELECT coalesce(max(e.retention_days), max(d.days))
        FROM capture.retention d LEFT JOIN read_accounts.environment e ON e.id = %(environment_id)s))
)"""
"""SQL: sessions whose last receipt was before are past their retention, whether they are removed yet or not."""

VISIBLE = f"""(
    s.environment_id = %(environment_id)s
    AND s.last_received_at >= {KEPT_SINCE}
    AND NOT EXISTS (
        SELECT FROM read_recordings.deleted_session gone
        WHERE gone.environment_id = s.environment_id AND gone.session_id = s.session_id)
)"""
"""SQL: a condition on a row `s` of capture.session, with the values of `visible`. Every read of sessions has it.

A row that nothing was merged into yet has no last receipt, and is not there.
"""


def visible(tenant: Tenant, now: datetime) -> dict[str, Any]:
    """The values of VISIBLE."""
    return {"environment_id": tenant.environment_id, "now": now}
