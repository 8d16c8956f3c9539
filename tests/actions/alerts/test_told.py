"""An alert from the tick of a scheduler to what a receiver of its messages gets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from commands.actions import Actions
from consumers.actions.delivering import Delivering
from consumers.actions.report.port import Material, Report
from consumers.actions.running import Running
from consumers.delivery.sending import Sending
from consumers.delivery.settings import DeliverySettings
from consumers.delivery.targets import Targets
from domain.outbound import AllowedHosts
from domain.tenant import Tenant
from tests.actions.acting import Acting
from tests.actions.alerts.checks import RULE
from tests.actions.alerts.test_metrics import observed
from tests.servers.vendors.server import Reply, VendorServer

HALF_NO: dict[str, Any] = {"metric": "verdict_share", "verdict": "no", "threshold": 0.5}


class NoWriter:
    """An alert asks no writer of reports."""

    def write(self, tenant: Tenant, run_id: UUID, material: Material, provider: str, model: str) -> Report:
        raise AssertionError(material)


def test_a_webhook_is_told_when_it_fires_and_when_it_resolves(acting: Acting) -> None:
    world = acting.world
    with VendorServer([Reply({})] * 9) as server:
        allowed = AllowedHosts.parse([server.url.removeprefix("http://")])
        world.actions = Actions(world.store, mail=False, allowed_hosts=allowed)
        scanner_id = world.scanner()
        action_id = world.action(
            scanner_id,
            "Give-ups",
            mode="alert",
            alert_config=HALF_NO,
            trigger_config=RULE,
            delivery_config=[{"type": "webhook", "url": f"{server.url}/hook"}],
        )
        running = Running(acting.pool, acting.runs, NoWriter(), acting.clock)
        delivering = Delivering(
            acting.pool,
            acting.runs,
            Targets(world.integrations, world.webhook_secrets, world.endpoints),
            world.endpoints,
            Sending(DeliverySettings(allowed_hosts=allowed)),
            acting.clock,
            public_url="https://vision.example",
        )

        def an_hour_later(*verdicts: str) -> None:
            observed(world, scanner_id, "monitor", *({"verdict": verdict} for verdict in verdicts))
            acting.catch_up()
            world.clock.now += timedelta(hours=1)
            acting.tick()
            assert acting.work("run", running.work) == 1
            acting.work("delivery", delivering.work)

        an_hour_later("yes")
        an_hour_later("no")
        an_hour_later("no")
        an_hour_later("yes", "yes", "yes", "yes")
        requests = list(server.requests)

    runs = acting.runs_of(action_id)
    assert [(run["status"], run["error_reason"].partition(":")[0]) for run in reversed(runs)] == [
        ("skipped", "not_breached"),
        ("completed", ""),
        ("skipped", "still_breached"),
        ("completed", ""),
    ]
    fired, resolved = (seen.document for seen in requests)
    assert (fired["type"], resolved["type"]) == ("replay_vision.alert_fired", "replay_vision.alert_resolved")
    assert [fired["id"], resolved["id"]] == [str(runs[2]["id"]), str(runs[0]["id"])]
    assert fired["data"]["observation_count"] == 2
    assert fired["data"]["report"].startswith("## Alert: Give-ups\n")
    assert resolved["data"]["report"].startswith("## Resolved: Give-ups\n")
    detail = acting.run(action_id, runs[2]["id"])
    assert detail["synthesized_markdown"] == fired["data"]["report"]
    assert [one["index"] for one in detail["observations"]] == [1]
    assert [delivery["status"] for delivery in detail["deliveries"]] == ["succeeded"]
    assert acting.action(action_id)["alert_state"]["state"] == "clear"
