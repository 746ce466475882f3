"""The SDK's own tests, once as they are and once under the library: none fails that passes without it.

    python tests/reliability/sdk_suite.py

Rule: tests are chosen by file, and what is expected to differ is listed one by one with the reason why it must. A
test in that list that does not differ is an error too, so that the list cannot grow old.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reliability import environments

VERSION: Final = "2.11.0"
REQUIREMENTS: Final = (
    f"anthropic[aiohttp,bedrock,vertex]=={VERSION}",
    "opentelemetry-api>=1.30",
    "opentelemetry-sdk>=1.30",
    "pytest",
    "pytest-asyncio",
    "pytest-timeout",
    "pytest-xdist>=3.6.1",
    "respx",
    "time-machine",
    "dirty-equals>=0.6.0",
    "importlib-metadata>=6.7.0",
    "rich>=13.7.1",
    "hypothesis",
    "inline-snapshot>=0.28.0",
    "griffe>=1",
    "http-snapshot[httpx]==0.1.9",
    "packaging",
    "httpx2>=2.9",
)
SUITE: Final = (
    "tests/test_client.py",
    "tests/test_streaming.py",
    "tests/test_middleware.py",
    "tests/test_response.py",
    "tests/test_exceptions.py",
    "tests/test_header_case_sensitivity.py",
    "tests/test_prepare.py",
    "tests/decoders",
    "tests/lib/streaming",
    "tests/lib/test_client_copy.py",
    "tests/lib/test_bedrock.py",
    "tests/lib/test_vertex.py",
    "tests/lib/test_refusal_fallback.py",
    "tests/lib/test_refusal_fallback_streaming.py",
    "tests/test_tracing.py",
    "tests/test_open_telemetry.py",
)

EXPECTED: Final = {
    "the request names the attempt's span, which is below the call's": (
        "test_a_retried_call_has_one_span",
        "test_trace_context_headers",
        "test_sigv4_signature_does_not_cover_the_trace_headers_that_the_sdk_replaces",
        "test_requests_carry_the_trace_context_by_default",
    ),
    "the attempt's span is current while it is sent": (
        "test_spans_that_start_during_the_call_are_children_of_the_call_span",
        "test_false_keeps_a_span_that_the_sampler_dropped_current_for_the_requests",
        "test_propagation_off_keeps_a_dropped_span_current",
        "test_propagation_off_drops_a_span_without_a_valid_context",
    ),
    "the SDK's tracing is off or broken, and the library's is on": (
        "test_environment_variable_disables_spans",
        "test_disabled_traces_have_no_spans",
        "test_disabled_open_telemetry_sends_no_trace_context",
        "test_global_tracer_provider_that_cannot_be_loaded_leaves_the_client_without_spans",
        "test_global_tracer_provider_that_cannot_be_loaded_leaves_platform_clients_without_spans",
        "test_tracer_provider_that_gives_no_tracer_leaves_the_client_without_spans",
        "test_tracer_provider_that_is_not_installed_leaves_a_client_without_spans",
        "test_disabled_spans_call_nothing_of_opentelemetry",
    ),
    "the body of the response is wrapped": (
        "test_disabled_spans_leave_the_body_of_the_response_alone",
        "test_async_disabled_spans_leave_the_body_of_the_response_alone",
    ),
}
"""The SDK's tests of its own tracing that assert the very absence of what the library is for, by why they differ."""


@dataclass(frozen=True)
class Suite:
    """How one run of the suite ended."""

    passed: int
    skipped: int
    failed: frozenset[str]
    counted: dict[str, Any]


def run(*, instrumented: bool) -> Suite:
    """Runs the suite. Raises `AssertionError` if it did not get to its end."""
    python = environments.environment("sdk-suite", REQUIREMENTS)
    plugin = ["-p", "reliability.sdk_plugin"] if instrumented else []
    done = subprocess.run(
        [str(python), "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "--timeout", "300", *plugin, *SUITE],
        cwd=environments.sdk_source(VERSION),
        env=environments.variables_of({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-3000:]
    counted = re.search(r"^ANTHROPIC_OTEL (.*)$", done.stdout, re.MULTILINE)
    return Suite(
        _number("passed", done.stdout),
        _number("skipped", done.stdout),
        frozenset(re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)),
        json.loads(counted.group(1)) if counted else {},
    )


def _number(word: str, output: str) -> int:
    found = re.search(rf"(\d+) {word}", output.splitlines()[-1])
    return int(found.group(1)) if found else 0


def compare() -> dict[str, Any]:
    """Both runs, as figures. Raises `AssertionError` where a test fails that must not."""
    environments.sdk_source(VERSION)
    with ThreadPoolExecutor(2) as pool:
        plain, under = pool.map(lambda instrumented: run(instrumented=instrumented), (False, True))
    names = {name for names in EXPECTED.values() for name in names}
    differing = {test for test in under.failed - plain.failed if test.startswith("tests/")}
    unexpected = {test for test in differing if _name(test) not in names}
    assert not unexpected, f"fail under the library only: {sorted(unexpected)}"
    stale = names - {_name(test) for test in differing}
    assert not stale, f"expected to differ, and does not: {sorted(stale)}"
    assert under.counted.get("anthropic.client.attempt.started", 0) > 1000, under.counted
    assert under.counted["anthropic.client.attempt.started"] == under.counted["anthropic.client.attempt.duration"]
    return {
        "sdk": VERSION,
        "passed_without": plain.passed,
        "failed_without": len(plain.failed),
        "passed_under": under.passed,
        "differ_by_design": len(differing),
        "attempts": under.counted["anthropic.client.attempt.started"],
    }


def _name(test: str) -> str:
    return test.rpartition("::")[2].partition("[")[0]


if __name__ == "__main__":
    print(json.dumps(compare()))
