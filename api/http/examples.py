"""Example bodies and answers of the OpenAPI document: a shop wants to know why people leave at payment.

The tests hold each example against its schema.
"""

from typing import Any

SCANNER_ID = "01982f6e-4b1d-7a52-9c3e-5d0f8a61b274"
SESSION_ID = "01983a10-77c2-7d4f-8e15-0b9c64fa2d38"
OBSERVATION_ID = "5f0c2b9e-3d1a-5c87-a4f6-e29b7d105c83"
WORKFLOW_ID = f"replay-vision-apply-scanner-{SCANNER_ID}-{SESSION_ID}"

_ADDRESS = "https://replay.example.org/api/projects/1"

USER: dict[str, Any] = {
    "id": 5,
    "uuid": "0197f0c4-91ab-7c60-b7d2-3e84f5a01c9d",
    "distinct_id": None,
    "first_name": "Ines",
    "last_name": "Kato",
    "email": "ines@shop.example",
    "is_email_verified": None,
    "hedgehog_config": None,
    "role_at_organization": None,
}

CONFIG: dict[str, Any] = {
    "prompt": "Why did the visitor leave the payment page?",
    "tags": ["card refused", "voucher", "shipping cost", "paid"],
    "multi_label": False,
}
QUERY: dict[str, Any] = {
    "kind": "RecordingsQuery",
    "events": [{"id": "payment_opened", "type": "events"}],
    "filter_test_accounts": True,
}

CREATE_SCANNER: dict[str, Any] = {
    "name": "Leaving at payment",
    "scanner_type": "classifier",
    "scanner_config": CONFIG,
    "query": QUERY,
    "sampling_rate": 0.5,
    "provider": "builtin",
    "model": "builtin",
}
SCANNER: dict[str, Any] = {
    "id": SCANNER_ID,
    "name": "Leaving at payment",
    "description": "",
    "scanner_type": "classifier",
    "scanner_config": CONFIG,
    "query": QUERY,
    "sampling_rate": 0.5,
    "provider": "builtin",
    "model": "builtin",
    "enabled": True,
    "emits_signals": False,
    "scanner_version": 1,
    "estimated_monthly_observations": 240,
    "last_swept_at": "2026-07-22T06:55:00Z",
    "created_at": "2026-07-22T07:30:00.250000Z",
    "updated_at": "2026-07-22T07:30:00.250000Z",
    "created_by": USER,
}
EDIT_SCANNER: dict[str, Any] = {"description": "Asked for by the payments team.", "sampling_rate": 1}
EDITED_SCANNER: dict[str, Any] = {
    **SCANNER,
    **EDIT_SCANNER,
    "scanner_version": 2,
    "updated_at": "2026-07-23T11:02:41.007000Z",
}
CREATORS: dict[str, Any] = {"creators": [USER]}
SCANNER_STATS: dict[str, Any] = {
    "total": 3,
    "enabled": 2,
    "by_type": {
        "monitor": {"enabled": 1, "total": 1},
        "classifier": {"enabled": 1, "total": 1},
        "scorer": {"enabled": 0, "total": 1},
        "summarizer": {"enabled": 0, "total": 0},
    },
}

OBSERVE: dict[str, Any] = {"session_id": SESSION_ID}
OBSERVED: dict[str, Any] = {"workflow_id": WORKFLOW_ID, "observation_id": OBSERVATION_ID}
BULK_OBSERVE: dict[str, Any] = {"session_ids": [SESSION_ID, "tab-2 of the till"]}
BULK_OBSERVED: dict[str, Any] = {
    "started": 1,
    "results": [
        {"session_id": SESSION_ID, "observation_id": OBSERVATION_ID, "scan_outcome": "started"},
        {"session_id": "tab-2 of the till", "observation_id": None, "scan_outcome": "skipped_limit"},
    ],
}

OBSERVATION: dict[str, Any] = {
    "id": OBSERVATION_ID,
    "scanner_id": SCANNER_ID,
    "session_id": SESSION_ID,
    "status": "succeeded",
    "error_reason": "",
    "workflow_id": WORKFLOW_ID,
    "scanner_snapshot": {
        "name": "Leaving at payment",
        "scanner_type": "classifier",
        "scanner_version": 1,
        "model": "builtin",
        "provider": "builtin",
        "emits_signals": False,
        "scanner_config": CONFIG,
    },
    "scanner_result": {
        "model_output": {
            "scanner_type": "classifier",
            "tags": ["card refused"],
            "tags_freeform": [],
            "reasoning": "Two cards were declined (t 131) before the tab was closed.",
            "reasoning_segments": [
                {"kind": "text", "value": "Two cards were declined"},
                {"kind": "chip", "timestamp_ms": 131000},
                {"kind": "text", "value": " before the tab was closed."},
            ],
            "confidence": 0.9,
        },
        "signals_count": 0,
    },
    "triggered_by": "on_demand",
    "triggered_by_user": USER,
    "distinct_id": "customer-4711",
    "recording_subject_email": None,
    "previous_observation_id": None,
    "next_observation_id": None,
    "started_at": "2026-07-22T08:00:01Z",
    "completed_at": "2026-07-22T08:00:09.500000Z",
    "created_at": "2026-07-22T08:00:00.125000Z",
}
EVIDENCE: dict[str, Any] = {
    "digest": "ef2cf3b2f29641c523c922230e2a39ffdeeb4f6221af2514ea1fb4d04308e2c6",
    "text": 'Session of 140 s in 1 window.\n[131s] error shown: "Your card was declined"\n',
    "lines": [{"t_s": 131.2, "kind": "screen", "text": 'shown: "Your card was declined"'}],
    "signals": [
        {
            "kind": "error_shown",
            "t_s": 131.2,
            "end_s": 131.2,
            "text": 'error shown: "Your card was declined"',
            "count": 1,
        }
    ],
}
OBSERVATION_STATS: dict[str, Any] = {
    "status_counts": {
        "total": 12,
        "succeeded": 8,
        "failed": 2,
        "ineligible": 1,
        "in_flight": 1,
        "success_rate": 80,
    },
    "coverage": {"recent_sessions": 11, "total_sessions": 12, "recent_days": 14},
    "available_tags": ["card refused", "paid", "voucher"],
    "monitor": None,
    "classifier": {
        "fixed_ranked": [
            {"tag": "card refused", "count": 5},
            {"tag": "paid", "count": 2},
            {"tag": "voucher", "count": 1},
        ],
        "freeform_ranked": [],
        "total_with_tags": 8,
    },
    "scorer": None,
}

ESTIMATE: dict[str, Any] = {"query": QUERY, "sampling_rate": 0.5, "scanner_id": SCANNER_ID}
ESTIMATED: dict[str, Any] = {
    "matched_sessions_in_window": 480,
    "window_days": 30,
    "estimated_observations_per_month": 240,
    "sampling_rate": 0.5,
    "other_enabled_scanners_monthly": 840,
    "unsupported_conditions": [],
}
HEALTH: dict[str, Any] = {
    "status": "waiting",
    "reasons": [
        {
            "code": "quota_exhausted",
            "detail": "The monthly quota of 3000 observations is used up. It starts again on 2026-08-01.",
            "since": "2026-07-28T16:20:00Z",
        }
    ],
    "settled_behind": 41,
    "pending": 0,
    "running": 0,
    "last_day": {"succeeded": 17, "failed": 0, "ineligible": 2},
    "unsupported_conditions": [],
}
GAP_ID = "8f2b7c1d-54e0-5a93-b6d1-0c7e9a4f3b26"
GAP: dict[str, Any] = {
    "id": GAP_ID,
    "from": "2026-07-28T16:20:00Z",
    "to": "2026-07-31T23:58:30.500000Z",
    "reason": "quota_exhausted",
    "sessions": 112,
    "redriven_at": None,
}
REDRIVEN: dict[str, Any] = {"id": GAP_ID, "redriven_at": "2026-08-01T07:00:00Z"}

ACTION_ID = "01983c5b-2f90-7b1e-a3c8-46d7e5f0918a"
CREATE_ACTION: dict[str, Any] = {
    "name": "Payments, every weekday",
    "scanner": SCANNER_ID,
    "trigger_config": {
        "rrule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=7;BYMINUTE=30;BYSECOND=0",
        "timezone": "Europe/Lisbon",
    },
    "selection": {"tags": ["card refused"], "window_days": 1},
    "synthesis_config": {"prompt_guide": "Begin with what has changed since yesterday."},
    "alert_config": {},
    "delivery_config": [
        {"type": "slack", "integration_id": 3, "channel": "#payments"},
        {"type": "webhook", "url": "https://hooks.shop.example/replay-vision"},
    ],
}
ACTION: dict[str, Any] = {
    "id": ACTION_ID,
    "enabled": True,
    "trigger_type": "schedule",
    "mode": "group_summary",
    **CREATE_ACTION,
    "next_run_at": "2026-07-23T06:30:00Z",
    "last_run_at": None,
    "alert_state": None,
    "hog_flow_id": None,
    "created_at": "2026-07-22T15:04:05.500000Z",
    "created_by": USER,
    "updated_at": "2026-07-22T15:04:05.500000Z",
}
EDIT_ACTION: dict[str, Any] = {"enabled": False, "selection": {}}
EDITED_ACTION: dict[str, Any] = {**ACTION, **EDIT_ACTION, "updated_at": "2026-07-24T09:00:00Z"}

RUN_ID = "01984c07-9b1e-7d52-8a6f-3e1c5b7a9d24"
DELIVERY_ID = "5b0c8f6e-2f3d-5c1a-9e47-7d8b1a6c4f02"
RUN_STARTED: dict[str, Any] = {"run_id": RUN_ID}
RUN: dict[str, Any] = {
    "id": RUN_ID,
    "status": "completed",
    "scheduled_at": "2026-07-23T06:30:00Z",
    "window_start": "2026-07-22T06:30:00Z",
    "window_end": "2026-07-23T06:30:00Z",
    "observation_count": 4,
    "error_reason": "",
    "created_at": "2026-07-23T06:30:03.120000Z",
    "updated_at": "2026-07-23T06:30:05.870000Z",
}
RUN_DETAIL: dict[str, Any] = {
    **RUN,
    "synthesized_markdown": "**Four visitors had their card refused.**\n\n- Two of them gave up [obs 1].\n",
    "observations": [
        {
            "index": 1,
            "id": OBSERVATION_ID,
            "session_id": SESSION_ID,
            "title": "",
            "created_at": "2026-07-22T15:12:44.031000Z",
        }
    ],
    "deliveries": [
        {
            "id": DELIVERY_ID,
            "type": "webhook",
            "target": "https://hooks.shop.example/replay-vision",
            "status": "succeeded",
            "attempts": [
                {
                    "at": "2026-07-23T06:30:04.010000Z",
                    "status_code": 204,
                    "duration_ms": 87,
                    "error": None,
                    "response_excerpt": "",
                }
            ],
        }
    ],
}
REDELIVERED: dict[str, Any] = {"id": DELIVERY_ID, "status": "pending"}

QUOTA: dict[str, Any] = {
    "monthly_quota": 3000,
    "usage_this_month": 755,
    "remaining": 2245,
    "exhausted": False,
    "period_start": "2026-07-01T00:00:00Z",
    "period_end": "2026-08-01T00:00:00Z",
    "projected_monthly_observations": 1080,
}

HISTORY_ENTRY: dict[str, Any] = {
    "position": 318,
    "id": "319",
    "type": "ScannerReconfigured",
    "stream": {"type": "scanner", "id": SCANNER_ID},
    "version": 3,
    "recorded_at": "2026-07-23T11:02:41.007000Z",
    "actor": {"type": "key", "user": USER, "key_prefix": "phx_4fQz", "role": None},
    "changes": [{"field": "sampling_rate", "before": 0.5, "after": 1.0}],
    "correlation_id": "c1b7f3a6-0d52-4e98-93a4-6f2e8b7d1059",
    "causation_id": None,
}
ACTION_ENTRY: dict[str, Any] = {
    **HISTORY_ENTRY,
    "position": 402,
    "id": "403",
    "type": "ActionDisabled",
    "stream": {"type": "action", "id": ACTION_ID},
    "version": 2,
    "changes": [{"field": "enabled", "before": True, "after": False}],
}


SESSION: dict[str, Any] = {
    "id": SESSION_ID,
    "distinct_id": "customer-4711",
    "start_time": "2026-07-22T07:41:12.480000Z",
    "end_time": "2026-07-22T07:43:31.160000Z",
    "recording_duration": 138.68,
    "active_seconds": 96.21,
    "inactive_seconds": 42.47,
    "click_count": 14,
    "keypress_count": 38,
    "mouse_activity_count": 171,
    "console_log_count": 3,
    "console_warn_count": 0,
    "console_error_count": 1,
    "start_url": "https://shop.example/cart",
    "urls": ["https://shop.example/cart", "https://shop.example/payment"],
    "windows": ["01983a10-77c3-7b10-9d52-6a4f0c1e8b77"],
    "event_count": 412,
    "size": 198304,
    "snapshot_source": "web",
    "snapshot_library": "web",
    "activity_score": 47.62,
    "ongoing": False,
    "settled_at": "2026-07-22T08:19:02.300000Z",
}


def page(row: dict[str, Any], path: str, base: str = "vision/") -> dict[str, Any]:
    """The second page of a list that shows one row a page; `path` is below `base`."""
    address = f"{_ADDRESS}/{base}{path}"
    return {
        "count": 3,
        "next": f"{address}?limit=1&offset=2",
        "previous": f"{address}?limit=1",
        "results": [row],
    }


def cursor_page(row: dict[str, Any], path: str) -> dict[str, Any]:
    """A first page by cursor; `path` is below `/vision/`."""
    return {"next": f"{_ADDRESS}/vision/{path}?cursor=YWZ0ZXI6MzE4&limit=1", "previous": None, "results": [row]}
