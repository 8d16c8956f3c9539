"""What the workers of actions do with a run: a report, and a delivery that is given up."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID, uuid4

from commands.action_runs import Attempted, RunLease, WrittenReport
from domain.action_run import Cited
from tests.contract.site import Site


def reported(site: Site, action_id: str, observation_id: str, session_id: str, mark: str) -> tuple[str, str]:
    """A completed run of the action, which must have a delivery: the ids of the run and of its first delivery.

    `mark` stands in the report, which cites the observation, and in what the target answered.
    """
    runs, context = site.services.action_runs, replace(site.system, now=site.services.clock(), tenant=site.tenant)
    run = runs.run_now(context, UUID(action_id)).run
    lease = RunLease(run.id, uuid4())
    runs.start(context, lease, try_number=1, window_start=run.window_start or run.window_end, since=None)
    report = WrittenReport(
        markdown=f"# {mark}\n\nOne of them gave up [obs 1].",
        observations=[Cited(index=1, id=UUID(observation_id), session_id=session_id)],
        observation_count=1,
        matched=1,
        provider="builtin",
        model="builtin",
        input_tokens=0,
        output_tokens=0,
        cost_usd=Decimal(0),
    )
    runs.write_report(context, lease, report)
    delivery = UUID(next(iter(run.deliveries)))
    refused = Attempted(1, context.now, 500, 12, f"HTTP 500 {mark}", mark, None, "abandoned")
    runs.attempted(context, run.id, delivery, 1, refused)
    site.standing()
    return str(run.id), str(delivery)
