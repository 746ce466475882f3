"""What the app sees of a fault, the log records of it, and what nobody may see."""

from __future__ import annotations

import logging

from opentelemetry.trace import StatusCode

from anthropic_otel._core import semconv
from e2e.catalogue.meeting import Meeting
from support.apps import API_KEY, PROMPT


def check_what_the_app_sees(meeting: Meeting) -> None:
    """The same types and texts as without telemetry, and of exceptions the object that the HTTP client raised."""
    assert meeting.seen.facts == meeting.without.facts
    assert meeting.seen.untouched


def check_logs(meeting: Meeting) -> None:
    """One record for each failed attempt: INFO if another one follows, WARNING if the call fails with it."""
    records = meeting.telemetry.logs
    attempts = [span for span in meeting.telemetry.attempts if span.status.status_code is StatusCode.ERROR]
    levels = [record.levelno for record in records]
    assert levels == ([*[logging.INFO] * (len(attempts) - 1), logging.WARNING] if attempts else [])
    for record, span in zip(records, attempts, strict=True):
        attributes = dict(span.attributes or {})
        fields = {name: value for name, value in vars(record).items() if "." in name}
        assert fields == {semconv.HTTP_REQUEST_RESEND_COUNT: 0, **attributes}
        assert str(attributes.get(semconv.REQUEST_ID, "request id none")) in record.getMessage()
        assert str(attributes[semconv.ERROR_TYPE]) in record.getMessage()


def check_nothing_private_is_told(meeting: Meeting) -> None:
    """No prompt, no reply and no key in any span or record."""
    told = "".join(
        span.to_json() for span in meeting.telemetry.spans if semconv.ATTEMPT_OUTCOME in (span.attributes or {})
    )
    told += "".join(str(record.__dict__) for record in meeting.telemetry.records)
    assert not [secret for secret in (PROMPT, API_KEY, "the quick brown fox") if secret in told]
