"""What the schemas say about events and their fields, in the words of someone who reads the topics from outside.

One word means one thing in every event, so fields are described by name; `Class.field` goes first where a name needs
its class. test_schemas.py fails for a field or an event without words, and for words that nothing has any more.
"""

from collections.abc import Iterable
from typing import get_args

from consumers.scanning.providers.port import FailureKind
from domain.action import CONFIGURED
from domain.scanner import VERSIONED
from domain.scanner_types import PRIVATE_KEYS


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _of_the_unanswered(**fields: str) -> dict[str, str]:
    """What is said of a try without an answer. Where no worker could tell (it died), nobody knows."""
    events = ("TryFailed", "ObservationFailed", "ObservationIneligible")
    unknown = {
        name: f"{text}{' and' if 'null also' in text else '; null'} when it is not known."
        for name, text in fields.items()
    }
    return {f"{event}.{name}": text for event in events for name, text in unknown.items()}


EVENTS = {
    "OrganizationCreated": "An organization came into being. It owns environments, users and a monthly quota.",
    "QuotaSet": "The monthly quota of an organization was set. It replaces what was set before.",
    "QuotaGranted": "An organization got observations on top of its monthly quota, until a date.",
    "EnvironmentCreated": "An environment came into being: the place that sessions are recorded into.",
    "ProjectTokenRotated": "The project token of an environment was replaced; the old one is no longer accepted.",
    "RetentionSet": "How long an environment keeps its recorded sessions was changed.",
    "EnvironmentTestAccountsSet": "What tells an environment's tests from its visitors was set, in place of what was.",
    "EnvironmentActionsDefined": "The actions of an environment, events of its site under a name, were defined anew.",
    "UserCreated": "A user came into being.",
    "ApiKeyIssued": "An API key was issued to a user. The key itself is in no event.",
    "ApiKeyRevoked": "An API key was revoked and is no longer accepted.",
    "IntegrationCreated": "An operator gave an environment a way into another product. Its token is in no event.",
    "IntegrationDeleted": "An integration ended; its token is erased.",
    "SessionDeleted": "A recorded session was deleted, for good. What is stored of it is erased soon after.",
    "ActionCreated": "An action was created: a report about a scanner's observations, on a schedule.",
    "ActionRenamed": "An action got another name.",
    "ActionReconfigured": "What an action gathers, when, how it writes or where it delivers was changed.",
    "ActionScheduled": "An action is due at another time, since its rule, its time zone or its trigger was changed.",
    "ActionEnabled": "An action runs on its schedule again.",
    "ActionDisabled": "An action no longer runs on its schedule.",
    "ActionDeleted": "An action ended for good, by itself or with its scanner.",
    "ActionRunClaimed": "A run of an action came into being. Whoever claims the same time again finds it there.",
    "ActionRunStarted": "A worker began a try of the run.",
    "ReportWritten": "The run has its report.",
    "ActionRunCompleted": "The run ended with what it was to bring; its deliveries begin.",
    "ActionRunSkipped": "The run ended because there was nothing to do.",
    "ActionRunFailed": "The run ended because something broke or refused.",
    "DeliveryAttempted": "A message was sent to a target, or should have been.",
    "DeliverySucceeded": "The target took the message.",
    "DeliveryAbandoned": "No further attempt is made by itself.",
    "RedeliveryRequested": "Somebody asked to deliver the message to this target again.",
    "AlertMeasured": "A run of an alert measured its metric, and the alert stands as it stood.",
    "AlertFired": "A run of an alert found its threshold reached.",
    "AlertResolved": "A run of an alert found its threshold no longer reached.",
    "ScannerCreated": "A scanner, a standing question over session recordings, was created as its version 1.",
    "ScannerRenamed": "A scanner got another name. Its version stays.",
    "ScannerDescribed": "A scanner got another description. Its version stays.",
    "ScannerReconfigured": "What a scanner asks, of which sessions or of which model was changed: its next version.",
    "ScannerEnabled": "The schedule applies this scanner to sessions again.",
    "ScannerDisabled": "The schedule no longer applies this scanner to sessions.",
    "SweepGapSkipped": "The schedule passed over settled sessions without applying the scanner to them.",
    "SweepGapRedriven": "Somebody asked for the sessions of such a gap after all; the schedule works through them.",
    "ScannerDeleted": "A scanner ended for good. Later endings of its observations are refused.",
    "ObservationRequested": "A scanner was asked about one session: the first run of an observation.",
    "ScanStarted": "A worker began a try of a run.",
    "TryFailed": "A try failed and will be repeated by itself. The run goes on.",
    "ObservationSucceeded": "A run ended with an answer.",
    "ObservationFailed": "A run ended without an answer, because something broke or refused.",
    "ObservationIneligible": "A run ended because the session cannot be scanned.",
    "ObservationRetried": "The next run of a failed or ineligible observation was asked for.",
}

FIELDS = {
    "recorded_at": "When it happened, by the clock of the machine that recorded it; ISO 8601 in UTC.",
    "originator_topic": "The kind of thing that this stream is about. Only the first event of a stream has it.",
    "actor": "Who did it.",
    "correlation_id": "Shared by everything that one request or one tick set in motion.",
    "environment_id": "The environment it happened in; null where it belongs to none.",
    "organization_id": "The organization it happened in; null where it belongs to none.",
    "causation_id": "What led to it, for people who trace; an event id or another handle, null for the first.",
    "schema_version": "The version of this event's data. Version 1 does not carry it.",
    "Actor.type": "`user`: in person. `key`: an API key acting for its user. `system`: the product itself.",
    "Actor.user_id": "The user, of a user or of a key; else null.",
    "Actor.key_prefix": "The first 12 characters of the API key; else null.",
    "Actor.role": "The part of the product, of the system; else null.",
    "TextRef.id": "The reference. The text itself stays in the product until it is erased, and is in no event.",
    "TextRef.digest": "SHA-256 over a random salt and the text, in hexadecimal. It does not give the text away.",
    "OrganizationCreated.name": "The organization's name.",
    "OrganizationCreated.monthly_quota": "Observations a UTC calendar month; null for the installation's default.",
    "QuotaSet.monthly_quota": "Observations a UTC calendar month, from now on.",
    "amount": "How many observations a month come on top.",
    "QuotaGranted.expires_at": "When the grant ends.",
    "EnvironmentCreated.name": "The environment's name.",
    "timezone": "The IANA name of the environment's time zone.",
    "project_token": "What browsers send recordings with. Public by nature: it is in every page that is recorded.",
    "retention_days": "Days after a session's last receipt; null for the installation's default.",
    "filters": "Property filters that all hold for sessions that are no tests, as they were given.",
    "actions": "Each with its `id`, `name` and `steps`, as they were given. It replaces all that were.",
    "user_id": "The user's number.",
    "profile": "Refers to the user's names and e-mail address.",
    "label": "What the key's owner calls it.",
    "prefix": "The first 12 characters of the key.",
    "key_hash": "The key, hashed under the installation's secret, in hexadecimal.",
    "scopes": "What the key may do; `*` is everything.",
    "environment_ids": "The environments that the key is confined to; empty for all of its user's.",
    "ApiKeyIssued.expires_at": "When the key stops being accepted; null for never.",
    "integration_id": "The integration's number.",
    "IntegrationCreated.kind": "The other product: `slack`.",
    "token": "Refers to the token, which lies encrypted beside the log.",
    "ActionCreated.name": "The action's name, unique in its environment among those that are not deleted.",
    "ActionRenamed.name": "The action's name, unique in its environment among those that are not deleted.",
    "scanner": "The scanner whose observations it gathers.",
    "ActionCreated.enabled": "Whether it runs on its schedule.",
    "trigger_type": "What sets it off: `schedule`.",
    "mode": "What it makes of the observations: `group_summary`.",
    "trigger_config": "`rrule`, an iCalendar recurrence rule, and `timezone`, the IANA zone of its local times.",
    "selection": "Which observations: of which scanners, with which outcome, out of how many days.",
    "synthesis_config": "`prompt_guide`: what its owner asks of the report.",
    "delivery_config": "Where the report goes, each item by its `type`: `slack`, `webhook` or `email`.",
    "next_run_at": "When it runs next; null for never by itself.",
    "action_id": "The action that the run belongs to.",
    "ActionRunClaimed.scanner_id": "The scanner that the action is bound to.",
    "cause": "What set the run off: `schedule`, or `manual` for somebody who asked.",
    "ActionRunClaimed.triggered_by_user": "The user who asked; null for the schedule.",
    "ActionRunClaimed.next_run_at": "When the action is due after this run, by `action_version`; null for never, and "
    "where somebody asked for the run.",
    "action_version": "The version of the action's stream that `action` is as of.",
    "scheduled_at": "When the run was due, or when it was asked for.",
    "ActionRunClaimed.window_start": "Where the run's window begins; null for where the last completed run of the "
    "schedule ended, which is known when the run starts.",
    "window_start": "Where the run's window begins.",
    "window_end": "Where the run's window ends; what is later belongs to the next.",
    "position": "The last place in the log that the run looks at.",
    "action": "The action as it was: name, mode, time zone, selection, what is asked of the report, and deliveries, "
    "each with the `id` that it has in this run.",
    "since": "The place in the log after which the window begins; null when `window_start` bounds it.",
    "ActionRunStarted.try_number": "Which try of the run, counted from 1.",
    "ActionRunStarted.lease_token": "The worker's right to end the run. Another one replaces it when it is lost.",
    "report": "Refers to the report, in Markdown.",
    "ReportWritten.observations": "What the report refers to, in the order of its first mention.",
    "observation_count": "How many observations were read for the report.",
    "matched": "How many observations there were to read. Above 100, 100 evenly spaced ones are read.",
    "digests": "How many parts of a large set were digested first, each by a call of the model.",
    "ReportWritten.cost_usd": "What the report cost, in US dollars: a decimal number as text, maybe with an exponent.",
    "Cited.index": "The number by which the report refers to it, `[obs 3]`. Numbers may be missing.",
    "Cited.id": "The observation.",
    "Cited.session_id": "The recorded session that it is about.",
    "ActionRunSkipped.reason": "Why, as a word for programs: `skipped_empty`, `disabled`, `not_found`. "
    "Others may come.",
    "ActionRunFailed.reason": "Why, as a word for programs: a kind of a provider's failure, or `orphaned` when its "
    "workers died. Others may come.",
    "condition": "The version of the action's stream in which what the alert watches had last been changed.",
    "value": "What was measured; null where there was nothing to make an average or a share of.",
    "told": "Whether a message of it is sent.",
    "alert_config": "What an alert watches: `metric`, `threshold` and so on; empty where there is none.",
    "delivery_id": "The delivery: the `id` of an item in the run's `action`.",
    "number": "Which attempt of the delivery, counted from 1 through all rounds.",
    "at": "When the attempt began.",
    "status_code": "The status that the target answered with; null when no answer came.",
    "DeliveryAttempted.duration_ms": "How long the attempt took, in milliseconds.",
    "error": "What went wrong, as a sentence for people; null when nothing did. The wording may change.",
    "response": "Refers to the beginning of the answer; null when there was none.",
    "DeliveryAttempted.retry_at": "When the next attempt is made; null when none is made by itself.",
    "DeliveryAbandoned.reason": "Why, as a sentence for people. The wording may change.",
    "round": "How often the delivery was asked for, the first time included.",
    "ActionCreated.created_by": "The user who created it; null when nobody in particular did.",
    "ActionReconfigured.changes": f"The new values of what changed, some of: {_listed(CONFIGURED)}.",
    "name": "The scanner's name, unique in its environment among those that are not deleted.",
    "description": "What its owner wrote about the scanner; may be empty.",
    "scanner_type": "`monitor`, `classifier`, `scorer` or `summarizer`. It never changes.",
    "scanner_config": "The question: `prompt`, and the settings of the scanner's type.",
    "query": "Which sessions the schedule considers; empty for all. As its owner wrote it, names of people included.",
    "sampling_rate": "The share of those sessions that is scanned, 0 to 1.",
    "provider": "Who runs the model.",
    "model": "The model, in its provider's words.",
    "enabled": "Whether the schedule applies the scanner.",
    "emits_signals": "Whether its findings are offered as signals.",
    "created_by": "The user who created it; null when nobody in particular did.",
    "changes": f"The new values of what changed, some of: {_listed(VERSIONED)}.",
    "scanner_version": "The version that the scanner has from now on.",
    "restored_from": "The version whose values came back; null for an ordinary change.",
    "from": "Settle number of the first session passed over.",
    "to": "Settle number of the last session passed over.",
    "gap_id": "The gap: the id that the API shows for it.",
    "reason": "Why, as a word: `quota_exhausted`, `day_full`, `session_too_slow`. Others may come.",
    "scanner_id": "The scanner, which is also the id of its stream.",
    "session_id": "The recorded session.",
    "scanner_snapshot": "The scanner as it was when it was asked: name, type, version, model and config.",
    "triggered_by": "Whether the schedule or a person asked.",
    "triggered_by_user": "The user who asked; null for the schedule.",
    "period": "The UTC calendar month, `YYYY-MM`, whose quota this run is charged to.",
    "run": "Which run of the observation, counted from 1. Each retry opens the next.",
    "try_number": "Which try of the run, counted from 1.",
    "lease_token": "The worker's right to end the run; null where no worker held the run.",
    "TryFailed.lease_token": "The worker's right to end the run, which ended with the try.",
    "ScanStarted.lease_token": "The worker's right to end the run. Another one replaces it when the worker is lost.",
    "subject": "Refers to what is known of the recorded person; null when nothing is.",
    "TryFailed.kind": "Why, as a word for programs: `provider_transient`, or `infra_transient` when its worker "
    "was stopped. Others may come.",
    "ObservationFailed.kind": "Why, as a word for programs: "
    f"{_listed(get_args(FailureKind))}, or `orphaned` when its workers died. Others may come.",
    "ObservationIneligible.kind": "Why, as a word for programs: `no_recording`, `too_short`, `too_inactive`, "
    "`too_long`. Others may come.",
    "message": "Why, as a sentence for people. The wording may change.",
    "retry_at": "When the next try may begin.",
    "result": "The structured part of the answer: `scanner_type`, `confidence` (0 to 1) and, by type, `verdict`; "
    "`tags`; `score` and `label`; and `findings` where problems were reported, each with `problem_type`, `start_time` "
    "and `end_time` in seconds, and `confidence`. "
    f"The free text is not in it ({_listed(sorted(PRIVATE_KEYS))}): see `text`.",
    "text": "Refers to the free text of the answer.",
    "signals_count": "How many findings there are.",
    "evidence_digest": "SHA-256 of the evidence that was judged, in hexadecimal.",
    "prompt_digest": "SHA-256 of what was asked, in hexadecimal.",
    "answer_digest": "SHA-256 of the model's raw answer, in hexadecimal.",
    "input_tokens": "Tokens that the model read.",
    "output_tokens": "Tokens that the model wrote.",
    "cost_usd": "What the answer cost, in US dollars: a decimal number as text, maybe with an exponent (`1.5E-7`).",
    "duration_ms": "How long the analysis took, in milliseconds.",
    **_of_the_unanswered(
        requests="Requests that the model was sent in this try, whether they were answered or not",
        input_tokens="Tokens that the model read in this try, in requests that it answered",
        output_tokens="Tokens that the model wrote in this try",
        cost_usd="What the answered requests of this try cost, in US dollars: a decimal number as text, maybe with an "
        "exponent",
        duration_ms="How long this try took, in milliseconds",
        prompt_digest="SHA-256 of what was asked in this try, in hexadecimal; null also when no model was asked",
        answer_digest="SHA-256 of the model's raw answers in this try, in hexadecimal; null also when there is none",
    ),
    "reused_from": "The observation that paid for this answer, of which it was taken over, without tokens and cost; "
    "the observation itself when an earlier try had paid; null when the answer was asked for now.",
}
