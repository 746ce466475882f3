"""The alerts on total failure: every call of a service, or of one of its models, operations or hosts.

Rule: an alert's value is the longest of its windows, in seconds, in which enough calls failed and none was answered.
"""

from __future__ import annotations

from anthropic_otel._core import semconv
from anthropic_otel.bundle.alerts.model import About, Alert, Urgency, either
from anthropic_otel.bundle.conditions import Floor, Outage
from anthropic_otel.bundle.growth import (
    ANSWERED,
    CALLS,
    FAILED,
    HOST,
    IS_INFERENCE,
    IS_OTHER,
    MODEL,
    OPERATION,
    RuleQueries,
)
from anthropic_otel.bundle.promql import JOB, any_of, grouped, none_of, relabelled, total

KIND, TARGET = "kind", "target"
"""The labels that say what fails: `kind` is `model`, `operation` or `host`; `target` is its name."""
_KINDS = {"model": MODEL, "operation": OPERATION, "host": HOST}
_FAILED = any_of(semconv.CALL_OUTCOME, *FAILED)
_ANSWERED = any_of(semconv.CALL_OUTCOME, *ANSWERED)
_FOR_SO_LONG = "{{ $value | humanizeDuration }}"


def _dead(
    e: RuleQueries, a: Outage, by: tuple[str, ...], work: str, errors: tuple[str, ...] = (), partial: bool = False
) -> str:
    """Returns the condition, by the labels `by`, that in a window of `a` enough calls failed and none was answered.

    `work` is a matcher for the calls that count. With `errors`, regular expressions of error types, every failed call
    must have failed with one of these. With `partial`, a call of another group of the same job must have been answered
    in the window, as otherwise the whole service fails. The value is the longest such window, in seconds.
    """
    only = (any_of(semconv.ERROR_TYPE, *errors),) if errors else ()

    def one(floor: Floor) -> str:
        failed = total(by, e.grown(CALLS, floor.window, _FAILED, work, *only))
        answered = e.grown(CALLS, floor.window, _ANSWERED, work)
        found = f"{failed} >= {floor.at_least:g}\nunless\n{total(by, answered)} > 0"
        if errors:
            otherwise = e.grown(CALLS, floor.window, _FAILED, work, none_of(semconv.ERROR_TYPE, *errors))
            found += f"\nunless\n{total(by, otherwise)} > 0"
        if partial:
            found += f"\nand on ({JOB})\n{total((JOB,), answered)} > 0"
        return f"0 * {grouped(found)} + {floor.window.seconds:g}"

    longest_first = sorted(a.within, key=lambda floor: -floor.window.seconds)
    return either(one(floor) for floor in longest_first)


def all_failing(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicAllCallsFailing
    return Alert(
        "AnthropicAllCallsFailing",
        _dead(e, a, (JOB,), IS_INFERENCE),
        a.hold,
        a.keep,
        Urgency.PAGE,
        About.UNANSWERED,
        "overview",
        f"{{{{ $labels.job }}}}: no Claude call was answered in the last {_FOR_SO_LONG}",
        "Every call that asked a model for an answer failed, after all retries.",
    )


def all_invalid(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicAllCallsInvalid
    found = _dead(e, a, (JOB,), IS_INFERENCE, ("invalid_request_error", "400"))
    return Alert(
        "AnthropicAllCallsInvalid",
        found,
        a.hold,
        a.keep,
        Urgency.PAGE,
        About.SPEND,
        "overview",
        f"{{{{ $labels.job }}}}: every Claude call of the last {_FOR_SO_LONG} was refused with 400",
        "Two things look like this: the organization's credit or its spend limit is used up (the API says so in the "
        "message alone), or a release sends requests that are not valid. The app's log has the message.",
    )


def target_failing(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicTargetFailing

    def one(kind: str, source: str) -> str:
        found = grouped(_dead(e, a, (JOB, source), IS_INFERENCE, partial=True))
        named = relabelled(relabelled(found, TARGET, "$1", source, "(.*)"), KIND, kind, "", "")
        return f"max by ({JOB}, {KIND}, {TARGET}) {grouped(named)}"

    return Alert(
        "AnthropicTargetFailing",
        either(one(*pair) for pair in _KINDS.items()),
        a.hold,
        a.keep,
        Urgency.PAGE,
        About.UNANSWERED,
        "overview",
        f"{{{{ $labels.job }}}}: no call of the {{{{ $labels.{KIND} }}}} {{{{ $labels.{TARGET} }}}} was answered in "
        f"the last {_FOR_SO_LONG}",
        "Everything else of the service is answered, so shares over all of its calls hardly show it.",
    )


def model_gone(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicModelGone
    return Alert(
        "AnthropicModelGone",
        _dead(e, a, (JOB, MODEL), IS_INFERENCE, ("not_found_error", "404")),
        a.hold,
        a.keep,
        Urgency.PAGE,
        About.MODEL,
        "overview",
        f"{{{{ $labels.job }}}}: the API does not know the model {{{{ $labels.{MODEL} }}}}",
        f"Every call of it in the last {_FOR_SO_LONG} was answered with 404: it was retired, its name is mistyped, or "
        "the account has no access to it.",
    )


def operation_failing(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicOperationFailing
    return Alert(
        "AnthropicOperationFailing",
        _dead(e, a, (JOB, OPERATION), IS_OTHER),
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.UNANSWERED,
        "overview",
        f"{{{{ $labels.job }}}}: no {{{{ $labels.{OPERATION} }}}} was answered in the last {_FOR_SO_LONG}",
        "It asks no model for an answer, so it is not in the service level, but what needs it does not work.",
    )
