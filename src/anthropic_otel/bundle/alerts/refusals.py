"""The alerts on billing and access: refusals that last until somebody pays or corrects the API key.

Rule: waiting and retrying do not help, so these are separate alerts that say who can act.
"""

from __future__ import annotations

from anthropic_otel._core import semconv
from anthropic_otel.bundle.alerts.model import About, Alert, Urgency, either, share
from anthropic_otel.bundle.conditions import Refusals
from anthropic_otel.bundle.growth import ANSWERED, CALLS, CODE, ERROR, FAILED, IS_INFERENCE, RuleQueries
from anthropic_otel.bundle.promql import JOB, any_of, grouped, relabelled, total

SPEND_CODES = (".*spend_limit_reached", "linked_organization_billing_unavailable", "user_profile_not_billable")
"""Regular expressions for the API's error codes that mean: no answer until somebody pays. Some have the status 429."""
SPEND_TYPES = ("billing_error", "402")
ACCESS_CODES = ("organization_on_hold", "api_key_scope_missing")
ACCESS_TYPES = ("authentication_error", "permission_error", "401", "403")
REASON = "reason"
"""The label with the API's error code, or with the error type if there is no code."""


def _refused(e: RuleQueries, a: Refusals, types: tuple[str, ...], codes: tuple[str, ...]) -> str:
    """Returns the condition, by job and reason, that more than `a.ratio` of the calls for an answer fail for it.

    Counts a failed call if one of `types` fits its error type, or one of `codes` its error code: regular expressions.
    Its reason is the code, whichever of the two fits, or the type if it has no code. Each window of `a` has its own
    floor of failures for a reason, and one window is enough. The value is the share in the shortest window in which the
    condition holds.
    """

    def one(window: str, at_least: float) -> str:
        failed = any_of(semconv.CALL_OUTCOME, *FAILED)
        coded = e.grown(CALLS, window, failed, IS_INFERENCE, any_of(semconv.API_ERROR_CODE, *codes))
        typed = e.grown(CALLS, window, failed, IS_INFERENCE, any_of(semconv.ERROR_TYPE, *types))
        found = grouped(f"{coded}\nor\n{typed}")
        reason = relabelled(relabelled(found, REASON, "$1", ERROR, "(.*)"), REASON, "$1", CODE, "(.+)")
        every = e.grown(CALLS, window, any_of(semconv.CALL_OUTCOME, *ANSWERED, *FAILED), IS_INFERENCE)
        join = f"on ({JOB}) group_left ()"
        return grouped(share(total((JOB, REASON), reason), total((JOB,), every), a.ratio, at_least, join))

    shortest_first = sorted(a.within, key=lambda floor: floor.window.seconds)
    return either(one(floor.window, floor.at_least) for floor in shortest_first)


def _in_window(a: Refusals) -> str:
    first, *others = sorted((floor.window for floor in a.within), key=lambda window: window.seconds)
    return f"in the last {first}" + "".join(f" (or {window}, at low traffic)" for window in others)


def spend_limit(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicSpendLimit
    return Alert(
        "AnthropicSpendLimit",
        _refused(e, a, SPEND_TYPES, SPEND_CODES),
        a.hold,
        a.keep,
        Urgency.PAGE,
        About.SPEND,
        "overview",
        f"{{{{ $labels.job }}}}: the API wants money first: {{{{ $labels.{REASON} }}}}",
        f"{{{{ $value | humanizePercentage }}}} of the calls {_in_window(a)}. Waiting and retrying do not help: "
        "somebody with access to billing has to raise the limit or to buy credit.",
    )


def access_refused(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicAccessRefused
    return Alert(
        "AnthropicAccessRefused",
        _refused(e, a, ACCESS_TYPES, ACCESS_CODES),
        a.hold,
        a.keep,
        Urgency.PAGE,
        About.ACCESS,
        "overview",
        f"{{{{ $labels.job }}}}: the API refuses the key: {{{{ $labels.{REASON} }}}}",
        f"{{{{ $value | humanizePercentage }}}} of the calls {_in_window(a)}. The key was revoked, has expired, is not "
        "the one that was meant, or may not do this.",
    )
