"""How a fault looks to a person: in the SDK's error, on the span, on the metric and in the log.

`python -m support.looks`, with `tests` on the path, writes the section "How it looks" of the pages of `docs/why` anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle import files
from anthropic_otel.simulator import FAULTS, Simulator
from support import backoff
from support.apps import SdkApp, quietly
from support.driver import Driver
from support.stacks import SDK_STACKS
from support.telemetry import recording

HEADING: Final = "## How it looks\n"
FAULT_OF: Final = {
    "3xx": "http_302_unfollowed",
    "400": "http_400",
    "401": "http_401",
    "403": "http_403",
    "404": "http_404",
    "408": "http_504",
    "409": "http_409",
    "413": "http_413",
    "429": "http_429",
    "4xx": "http_451",
    "500": "http_500",
    "502": "http_502",
    "529": "http_529",
    "5xx": "http_522",
    "billing_error": "http_402",
    "client_timeout_error": "read_timeout",
    "connect_timeout": "connect_timeout",
    "connection_refused": "connection_refused",
    "connection_reset": "connection_reset",
    "decoding_error": "body_bad_gzip",
    "enforced_spend_limit_reached": "error_spend_limit",
    "incomplete_body": "body_cut",
    "incomplete_stream": "stream_incomplete",
    "invalid_event": "stream_invalid_json",
    "name_resolution_error": "name_resolution_error",
    "network_unreachable": "network_unreachable",
    "organization_on_hold": "error_on_hold",
    "pool_timeout": "pool_timeout",
    "protocol_error": "protocol_error",
    "proxy_error": "proxy_407",
    "ramp_limit_exceeded": "error_ramp_limit",
    "read_timeout": "read_timeout",
    "server_disconnected": "server_disconnected",
    "tls_certificate_error": "tls_untrusted",
    "tls_error": "tls_plain_port",
    "tls_timeout": "tls_timeout",
    "too_many_redirects": "too_many_redirects",
    "unexpected_content": "html",
    "write_timeout": "write_timeout",
}
"""By page, the fault of the catalogue that shows it."""

_SHOWN: Final = (
    *(semconv.ERROR_TYPE, semconv.HTTP_RESPONSE_STATUS_CODE, semconv.API_ERROR_TYPE, semconv.API_ERROR_CODE),
    *(semconv.NETWORK_PHASE, semconv.NETWORK_ERRNO, semconv.STREAM_COMPLETE, semconv.RETRY_STOP_REASON),
)
_METRIC: Final = f"{instruments.ATTEMPT_DURATION.prometheus_name}_count"


def look(page: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The section of a page, as an app on the SDK meets its fault for the first time."""
    fault = FAULTS[FAULT_OF[page]]
    stack = next(each for each in SDK_STACKS if not each.asynchronous)
    backoff.shorten(monkeypatch)
    with Simulator() as sim, recording() as telemetry, Driver(asynchronous=False) as driver:
        endpoint = sim.endpoint(fault)
        app = SdkApp(stack, endpoint, driver, telemetry, max_retries=2)
        app.occupy(fault.needs.busy_connections)
        telemetry.instrument()
        try:
            error = _met(app, fault.needs.request_bytes, stream=bool(fault.stream))
        finally:
            quietly(app)
        attributes: dict[str, Any] = dict(telemetry.attempts[0].attributes or {})
        log = telemetry.logs[0].getMessage()
    word = attributes[semconv.ERROR_TYPE]
    span = ", ".join(f"`{name}={_plain(attributes[name])}`" for name in _SHOWN if name in attributes)
    return "\n".join(
        f"- {name}: {text}"
        for name, text in (
            ("SDK", " over ".join(_errors(error)) or "no error"),
            ("Span", span),
            ("Metric", f'`{_METRIC}{{error_type="{word}"}}`'),
            ("Log", f"`{_varying(log)}`"),
        )
    )


def _met(app: SdkApp, size: int, *, stream: bool) -> BaseException | None:
    try:
        app.meet("x" * max(size, 1), stream=stream)
    except Exception as error:  # whatever the SDK makes of the fault
        return error
    return None


def _errors(error: BaseException | None) -> Iterator[str]:
    """The exception and what it was raised from, the innermost of each message alone."""
    seen = ""
    chain: list[BaseException] = []
    while error is not None:
        chain.append(error)
        error = error.__cause__
    for at, each in enumerate(chain):
        message = _varying(str(each)).partition("\n")[0]
        if at == 0 or (message and message != seen) or (at == 1 and not message):
            yield f"`{type(each).__name__}: {message}`".replace(": `", "`")
        seen = message


_VARYING: Final = (
    (re.compile(r"\d+\.\d+ s\b"), "… s"),
    (re.compile(r"\(_ssl\.c:\d+\)"), "(_ssl.c:…)"),
    (re.compile(r"_ssl\.c:\d+: "), ""),
    (re.compile(r"by proxy [\w.-]+:\d+"), "by proxy proxy.internal:3128"),
    (re.compile(r"(?<=, )(?:[\w.-]+):\d{2,5}(?=[ ,])"), "api.anthropic.com:443"),
    (re.compile(r"\breq_\w+"), "req_…"),
    (re.compile(r"'message': '[^']*'"), "'message': '…'"),
    (re.compile(r" This could be due to a network timeout.*"), " …"),
)


def _varying(text: str) -> str:
    """The text with what differs from run to run, and from app to app, replaced."""
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return text


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def main() -> None:
    """Writes the section of every page anew."""
    for page in FAULT_OF:
        path = files.source(f"docs/why/{page}.md")
        before, _, rest = path.read_text("utf-8").partition(HEADING)
        _, _, after = rest.partition("\n## ")
        with pytest.MonkeyPatch.context() as monkeypatch:
            section = look(page, monkeypatch)
        path.write_text(f"{before}{HEADING}\n{section}\n\n## {after}", "utf-8")


if __name__ == "__main__":
    main()
