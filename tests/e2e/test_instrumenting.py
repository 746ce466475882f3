"""What `instrument` and `uninstrument` reach, and that nothing of them is left."""

from __future__ import annotations

import functools
import gc
import logging
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import anthropic
import pytest

import anthropic_otel
from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Endpoint, Reply, Simulator
from anthropic_otel.testing import capture
from support import identities
from support.apps import API_KEY, SdkApp, request_of
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack, each_of, http_client
from support.telemetry import Telemetry
from support.waiting import until

pytestmark = pytest.mark.usefixtures("waits")


stack = each_of(stack for stack in SDK_STACKS if not stack.aiohttp)


@pytest.fixture
def app(stack: Stack, sim: Simulator, recorded: Telemetry) -> Iterator[SdkApp]:
    """An app that is not instrumented yet."""
    with Driver(asynchronous=stack.asynchronous) as driver:
        app = SdkApp(stack, Endpoint(sim.base_url), driver, recorded)
        yield app
        app.close()


def _definer(client: Any) -> type[Any]:
    return next(cls for cls in type(client).__mro__ if "request" in cls.__dict__)


def _definer_of_send(http: Any) -> type[Any]:
    """The class of the library, as the test's own client has a `send` too."""
    return next(cls for cls in type(http).__mro__ if "send" in cls.__dict__ and cls.__module__.startswith("httpx"))


def _outcomes(telemetry: Telemetry) -> list[str]:
    return [str((span.attributes or {})[semconv.ATTEMPT_OUTCOME]) for span in telemetry.attempts]


# -- what it reaches ---------------------------------------------------------------------------------------------------


def test_a_client_that_exists_is_seen(app: SdkApp, recorded: Telemetry) -> None:
    """Also one that has made calls before."""
    app.create()
    recorded.instrument()
    app.create()
    assert _outcomes(recorded) == ["completed"]
    identities.check(recorded, calls=1)


def test_the_story_of_a_recovered_call(app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """529, reset, 200: three attempts under one call span, and metrics that count a recovered call."""
    recorded.instrument()
    sim.play("http_529", "connection_reset", "ok")
    app.create()
    first, second, third = attempts = [dict(span.attributes or {}) for span in recorded.attempts]
    assert (first[semconv.HTTP_RESPONSE_STATUS_CODE], first[semconv.ERROR_TYPE]) == (529, "529")
    assert (
        second[semconv.ERROR_TYPE],
        second[semconv.NETWORK_CAUSE],
        second[semconv.NETWORK_ERRNO],
        second[semconv.NETWORK_PHASE],
    ) == (
        "connection_reset",
        "connection_reset",
        "ECONNRESET",
        "wait",
    )
    assert third[semconv.HTTP_RESPONSE_STATUS_CODE] == 200
    assert [each.get(semconv.HTTP_REQUEST_RESEND_COUNT) for each in attempts] == [None, 1, 2]
    assert [each.get(semconv.RETRY_REASON) for each in attempts] == [None, "529", "connection_reset"]
    assert [each.get(semconv.RETRY_SOURCE) for each in attempts] == [None, "backoff", "backoff"]
    times = [(span.start_time or 0, span.end_time or 0) for span in recorded.attempts]
    between = [(start - end) / 1e9 for (_, end), (start, _) in pairwise(times)]
    assert [second[semconv.RETRY_DELAY], third[semconv.RETRY_DELAY]] == pytest.approx(between, abs=1e-3)
    assert [each.get(semconv.REQUEST_ID) for each in attempts] == [sim.request_ids[0], None, sim.request_ids[1]]
    assert sim.request_ids[0] != sim.request_ids[1]
    [call] = recorded.calls
    assert [span.parent for span in recorded.attempts] == [call.context] * 3
    assert sum(point.sum for point in recorded.points(instruments.ATTEMPT_STARTED)) == 3
    counted = {
        point.attributes.get(semconv.ERROR_TYPE): point.count for point in recorded.points(instruments.ATTEMPT_DURATION)
    }
    assert counted == {"529": 1, "connection_reset": 1, None: 1}
    [duration] = recorded.points(instruments.CALL_DURATION)
    assert (duration.attributes[semconv.CALL_OUTCOME], duration.count) == ("recovered", 1)
    [retries] = recorded.points(instruments.CALL_RETRIES)
    assert (retries.attributes[semconv.CALL_OUTCOME], retries.sum) == ("recovered", 2)
    assert [record.levelno for record in recorded.logs] == [logging.INFO, logging.INFO]
    identities.check(recorded, calls=1)


def test_a_client_with_other_options_is_seen(app: SdkApp, recorded: Telemetry) -> None:
    """`with_options` makes a new client that shares the HTTP client."""
    recorded.instrument()
    app.driver(app.client.with_options(timeout=3.0).messages.create(**request_of()))
    assert _outcomes(recorded) == ["completed"]


def test_instrumenting_twice_is_instrumenting_once(app: SdkApp, recorded: Telemetry) -> None:
    """One span for each attempt, and once uninstrumented nothing is left."""
    original = _definer(app.client).__dict__["request"]
    recorded.instrument()
    recorded.instrument()
    app.create()
    assert len(recorded.attempts) == 1
    anthropic_otel.uninstrument()
    assert _definer(app.client).__dict__["request"] is original


def test_threads_that_instrument_at_once_instrument_once(
    app: SdkApp, recorded: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the threads of a server do that instrument at their first request: a call is counted once, and undone once."""
    original, interval = _definer(app.client).__dict__["request"], sys.getswitchinterval()
    start = threading.Barrier(6)

    def instrument() -> None:
        start.wait()
        recorded.instrument()

    sys.setswitchinterval(1e-6)
    try:
        for number in range(1, 16):
            threads = [threading.Thread(target=instrument) for _ in range(start.parties)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            app.create()
            identities.check(recorded, calls=number)
            anthropic_otel.uninstrument()
            assert _definer(app.client).__dict__["request"] is original
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("where", ["subclass", "client"])
def test_a_retry_rule_of_the_apps_own_is_not_guessed_at(
    app: SdkApp, stack: Stack, sim: Simulator, recorded: Telemetry, where: str
) -> None:
    """It retries a 400 and no 529: nothing is said of why a failure was not retried, as nobody knows."""

    def retries_400(response: Any) -> bool:
        return bool(response.status_code == 400)

    cls = type(app.client)
    if where == "subclass":
        cls = type("OwnRule", (cls,), {"_should_retry": lambda self, response: retries_400(response)})
    own = SdkApp(stack, Endpoint(sim.base_url), app.driver, recorded, client_class=cls, api_key=API_KEY, max_retries=1)
    if where == "client":
        own.client._should_retry = retries_400
    recorded.instrument()
    sim.play("http_400", "ok", "http_529", "http_400", "http_400")
    own.create()
    for _ in range(2):
        with pytest.raises(anthropic.APIStatusError):
            own.create()
    assert [(span.attributes or {}).get(semconv.RETRY_STOP_REASON) for span in recorded.attempts] == [None] * 5
    outcomes = {point.attributes[semconv.CALL_OUTCOME] for point in recorded.points(instruments.CALL_DURATION)}
    assert outcomes == {"recovered", "failed", "exhausted"}
    assert [record.levelname for record in recorded.logs] == ["INFO", "WARNING", "INFO", "WARNING"]
    own.close()


@pytest.mark.parametrize("mocked", ["class", "its_spec", "module", "empty_module"])
def test_a_mock_in_place_of_an_http_client_is_left_alone(
    app: SdkApp, stack: Stack, recorded: Telemetry, mocked: str
) -> None:
    """A test that has mocked one may start an app that instruments itself. Real clients are seen all the same."""
    with pytest.MonkeyPatch.context() as patch:
        if mocked in ("class", "its_spec"):
            name = type(app.http).__mro__[-3].__name__
            original = getattr(stack.module, name)
            mocking = mock.create_autospec(original) if mocked == "its_spec" else mock.MagicMock()
            patch.setattr(stack.module, name, mocking)
        else:
            # Not `mock.patch.dict`, which would forget every module that is imported meanwhile.
            patch.setitem(
                sys.modules, stack.library, mock.MagicMock() if mocked == "module" else ModuleType(stack.library)
            )
        recorded.instrument()
    app.create()
    identities.check(recorded, calls=1)


@pytest.mark.parametrize("mocked", ["send", "request"])
@pytest.mark.parametrize("by", ["mock", "function"])
@pytest.mark.parametrize("again", ["instrument", "capture"])
def test_what_was_mocked_when_the_process_was_instrumented_is_recorded_later(
    app: SdkApp, stack: Stack, sim: Simulator, recorded: Telemetry, mocked: str, by: str, again: str
) -> None:
    """A test has mocked the function, and the app instruments itself within. Once the mock is gone, the next
    `instrument`, or the next capture, records all calls and attempts.
    """
    # Its class has no `send` of its own, which would be patched at the first call.
    plain = http_client(stack, cls=stack.client_class)
    own = SdkApp(stack, Endpoint(sim.base_url), app.driver, recorded, http=plain)
    cls = _definer(own.client) if mocked == "request" else _definer_of_send(plain)
    original, more = cls.__dict__[mocked], [lambda *args, **options: None] if by == "function" else []
    with mock.patch.object(cls, mocked, *more):
        recorded.instrument()
    if again == "instrument":
        recorded.instrument()
    with capture() as telemetry:
        own.create()
    assert (len(telemetry.calls), len(telemetry.attempts)) == (1, 1)
    identities.check(recorded, calls=1)
    anthropic_otel.uninstrument()
    assert cls.__dict__[mocked] is original
    own.close()


def test_one_client_is_instrumented_and_no_other(
    app: SdkApp, stack: Stack, sim: Simulator, recorded: Telemetry
) -> None:
    """The other client's calls are none of ours; those of a copy of the one are."""
    other = SdkApp(stack, Endpoint(sim.base_url), app.driver)
    recorded.instrument(app.client)
    other.create()
    assert not recorded.attempts
    app.create()
    app.driver(app.client.with_options(max_retries=0).messages.create(**request_of()))
    other.close()
    assert _outcomes(recorded) == ["completed", "completed"]
    identities.check(recorded, calls=2)


def test_one_client_within_an_instrumented_process_is_not_seen_twice(app: SdkApp, recorded: Telemetry) -> None:
    """Each attempt has one span, whoever learns of it."""
    recorded.instrument()
    app.create()
    recorded.instrument(app.client)
    app.create()
    assert len(recorded.attempts) == 2


def test_what_is_no_client_is_refused(recorded: Telemetry) -> None:
    """A mistake in the app's set-up is told at once."""
    with pytest.raises(TypeError, match="client of the Anthropic SDK"):
        recorded.instrument(object())
    with pytest.raises(TypeError, match="httpx"):
        recorded.instrument_http_client(object())


def test_a_word_that_export_does_not_know_is_refused() -> None:
    """The two that it knows are named."""
    with pytest.raises(ValueError, match="'otlp' or 'console'"):
        anthropic_otel.instrument(export="prometheus")


# -- taking it off -----------------------------------------------------------------------------------------------------


def test_uninstrumenting_leaves_no_trace(app: SdkApp, recorded: Telemetry) -> None:
    """Classes and clients are what they were, and no call is seen."""
    cls = _definer(app.client)
    before = (dict(cls.__dict__), set(app.http.__dict__))
    recorded.instrument()
    app.create()
    assert set(app.http.__dict__) == before[1]
    assert cls.__dict__["request"] is not before[0]["request"]
    anthropic_otel.uninstrument()
    assert (dict(cls.__dict__), set(app.http.__dict__)) == before
    app.create()
    assert len(recorded.attempts) == 1


def test_uninstrumenting_one_client_leaves_the_others(
    app: SdkApp, stack: Stack, sim: Simulator, recorded: Telemetry
) -> None:
    """Each was named by itself, and each is taken off by itself."""
    other = SdkApp(stack, Endpoint(sim.base_url), app.driver, recorded)
    recorded.instrument(app.client)
    recorded.instrument(other.client)
    anthropic_otel.uninstrument(app.client)
    app.create()
    assert not recorded.attempts
    other.create()
    other.close()
    assert len(recorded.attempts) == 1


def _with_hook(app: SdkApp, stack: Stack, sim: Simulator, hook: Any, recorded: Telemetry) -> SdkApp:
    """Another app on the driver of `app`, whose HTTP client has `hook` called before each request."""
    endpoint = Endpoint(sim.base_url)
    http = http_client(stack, endpoint, event_hooks={"request": [hook]})
    return SdkApp(stack, endpoint, app.driver, recorded, http=http)


def test_an_excluded_client_is_not_seen_within_the_call_of_another(
    app: SdkApp, stack: Stack, sim: Simulator, recorded: Telemetry
) -> None:
    """What a hook of an instrumented client sends by an excluded one is no attempt of the call that it runs in."""

    def send(request: Any) -> None:
        app.client.messages.create(**request_of())

    async def async_send(request: Any) -> None:
        await app.client.messages.create(**request_of())

    other = _with_hook(app, stack, sim, async_send if stack.asynchronous else send, recorded)
    recorded.instrument()
    anthropic_otel.uninstrument(app.client)
    other.create()
    other.close()
    assert len(sim.requests) == 2
    assert len(recorded.attempts) == 1


def test_a_call_whose_client_is_excluded_meanwhile_is_recorded_to_its_end(
    app: SdkApp, stack: Stack, sim: Simulator, recorded: Telemetry
) -> None:
    """Its retry is an attempt of it too; the next call of the client is not seen."""
    excluded: list[Any] = []

    def exclude(request: Any) -> None:
        anthropic_otel.uninstrument(excluded[0])

    async def async_exclude(request: Any) -> None:
        exclude(request)

    other = _with_hook(app, stack, sim, async_exclude if stack.asynchronous else exclude, recorded)
    excluded.append(other.client)
    recorded.instrument()
    sim.play("http_529")
    other.create()
    other.create()
    other.close()
    assert _outcomes(recorded) == ["failed", "completed"]


def test_the_only_client_is_taken_off_by_itself(app: SdkApp, recorded: Telemetry) -> None:
    """Where a client was the only one that was instrumented, its classes are what they were before, as the client is.

    Any other object is passed over.
    """
    classes = [_definer(app.client), _definer_of_send(app.http)]
    before = [dict(cls.__dict__) for cls in classes], set(app.http.__dict__)
    recorded.instrument(app.client)
    app.create()
    anthropic_otel.uninstrument(object())
    anthropic_otel.uninstrument(app.client)
    assert ([dict(cls.__dict__) for cls in classes], set(app.http.__dict__)) == before
    app.create()
    assert len(recorded.attempts) == 1


class NotConnected:
    """A client of the app's own that makes the one below it when it is wanted."""

    @property
    def _client(self) -> Any:
        raise RuntimeError("not connected")


@pytest.mark.parametrize(
    "other",
    [
        object(),
        NotConnected(),
        SimpleNamespace(_client="a text"),
        SimpleNamespace(_client=Simulator),
        SimpleNamespace(_client=SimpleNamespace()),
    ],
)
@pytest.mark.parametrize("instrumented", [False, True])
def test_what_is_no_client_is_passed_over_when_it_is_taken_off(
    other: object, instrumented: bool, app: SdkApp, recorded: Telemetry
) -> None:
    """Also where it has something else under the name by which the SDK's clients have their HTTP client."""
    if instrumented:
        recorded.instrument()
    anthropic_otel.uninstrument(other)
    app.create()
    assert len(recorded.attempts) == instrumented


def test_instrumenting_again_works(app: SdkApp, recorded: Telemetry) -> None:
    """After uninstrument, instrument is as new."""
    for _ in range(3):
        recorded.instrument()
        app.create()
        anthropic_otel.uninstrument()
        app.create()
    assert len(recorded.attempts) == 3


def test_another_librarys_patch_of_the_class_stays(
    app: SdkApp, recorded: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was put on top of ours: it goes on working, and ours below does nothing any more."""
    cls, seen = _definer(app.client), []
    # At the end it is what it is now, and not ours, which is what the other patch restores.
    monkeypatch.setattr(cls, "request", cls.__dict__["request"])
    recorded.instrument()
    ours = cls.__dict__["request"]

    @functools.wraps(ours)
    def theirs(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(1)
        return ours(self, *args, **kwargs)

    monkeypatch.setattr(cls, "request", theirs)
    app.create()
    anthropic_otel.uninstrument()
    assert cls.__dict__["request"] is theirs
    app.create()
    assert (len(seen), len(recorded.attempts)) == (2, 1)


def test_another_librarys_send_on_the_client_stays(app: SdkApp, recorded: Telemetry) -> None:
    """As on the class, so on the instance of the HTTP client."""
    recorded.instrument()
    app.create()
    ours, seen = app.http.send, []

    def theirs(*args: Any, **kwargs: Any) -> Any:
        seen.append(1)
        return ours(*args, **kwargs)

    app.http.send = theirs
    app.create()
    anthropic_otel.uninstrument()
    assert app.http.send is theirs
    app.create()
    assert (len(seen), len(recorded.attempts)) == (2, 2)


def test_a_class_that_is_patched_later_is_obeyed(
    app: SdkApp, stack: Stack, recorded: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The class's `send` is looked up at each use, as other libraries patch it."""
    recorded.instrument()
    app.create()
    cls, seen = type(app.http), []
    original = cls.send

    def theirs(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(1)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(cls, "send", theirs)
    app.create()
    assert (len(seen), len(recorded.attempts)) == (1, 2)


def test_a_client_is_not_kept_alive(stack: Stack, sim: Simulator, recorded: Telemetry) -> None:
    """An app that makes a client for each request does not grow."""
    recorded.instrument()
    with Driver(asynchronous=stack.asynchronous) as driver:
        app = SdkApp(stack, Endpoint(sim.base_url), driver, recorded)
        app.create()
        app.close()
        http = weakref.ref(app.http)
        del app
        # Python collects nothing while another thread does: the simulator's may be at it.
        until(lambda: gc.collect() is not None and http() is None)


# -- HTTP clients ------------------------------------------------------------------------------------------------------


def test_an_http_client_of_the_sdks_has_attempts_without_calls(
    app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """Nothing of the SDK is patched; the request itself tells its number."""
    original = _definer(app.client).__dict__["request"]
    recorded.instrument_http_client(app.http)
    sim.play("http_529")
    app.create()
    assert [(span.attributes or {}).get(semconv.HTTP_REQUEST_RESEND_COUNT) for span in recorded.attempts] == [None, 1]
    assert _definer(app.client).__dict__["request"] is original
    assert not recorded.points(instruments.CALL_DURATION)
    identities.check_every_attempt_ended_once(recorded, 0)


def test_a_client_whose_http_client_has_attempts_gets_calls_too(app: SdkApp, recorded: Telemetry) -> None:
    """The SDK client is instrumented after its HTTP client: its calls are recorded from then on, and no attempt twice.

    A second time changes nothing.
    """
    recorded.instrument_http_client(app.http)
    app.create()
    for _ in range(2):
        recorded.instrument(app.client)
        app.create()
    assert len(recorded.attempts) == 3
    identities.check_every_attempt_ended_once(recorded, 0)
    assert sum(point.count for point in recorded.points(instruments.CALL_DURATION)) == 2


def test_other_traffic_of_a_shared_client_is_not_seen(app: SdkApp, recorded: Telemetry) -> None:
    """The app's own requests through the HTTP client that it gave to the SDK are none of the SDK's."""
    recorded.instrument()
    app.create()
    app.send(versioned=False)
    assert len(recorded.attempts) == 1


# -- in a process of their own, as global providers can be set only once -----------------------------------------------


def _python(code: str, base_url: str) -> subprocess.CompletedProcess[str]:
    prelude = f"""
        import logging, sys
        import anthropic, anthropic_otel
        from opentelemetry import metrics, trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        def call():
            with anthropic.Anthropic(base_url={base_url!r}, api_key={API_KEY!r}) as client:
                client.messages.create(**{request_of()!r})
    """
    source = textwrap.dedent(prelude) + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)


def test_providers_that_are_set_later_are_used(sim: Simulator) -> None:
    """Many an app sets its providers after its imports, or in a worker after the fork."""
    code = """
        anthropic_otel.instrument()
        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        call()
        print(sorted(span.name for span in exporter.get_finished_spans()))
    """
    result = _python(code, sim.base_url)
    assert (result.stdout.strip(), result.stderr) == ("['POST /v1/messages', 'anthropic.messages.create']", "")


def test_what_was_before_the_meter_provider_is_in_no_metric(sim: Simulator) -> None:
    """Neither in the count of attempts, read at collection, nor in a histogram: both begin with the provider."""
    code = """
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        trace.set_tracer_provider(TracerProvider())
        anthropic_otel.instrument()
        call()
        reader = InMemoryMetricReader()
        metrics.set_meter_provider(MeterProvider([reader]))
        call()
        anthropic_otel.uninstrument()
        call()
        anthropic_otel.instrument()
        call()
        found = {
            metric.name.removeprefix("anthropic.client."): metric.data.data_points
            for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
        }
        print(found["attempt.started"][0].value, found["attempt.duration"][0].count, len(found["ratelimit.limit"]) > 0)
    """
    far = (("anthropic-ratelimit-requests-reset", "2100-01-01T00:00:00Z"),)
    sim.play(*[Reply(headers=far)] * 4)
    result = _python(code, sim.base_url)
    assert (result.stdout.strip(), result.stderr) == ("2 2 True", "")


def test_a_stream_that_was_open_before_the_meter_provider_is_in_no_metric(sim: Simulator) -> None:
    """Its end alone would be an attempt that has ended and never started."""
    code = f"""
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        trace.set_tracer_provider(TracerProvider())
        anthropic_otel.instrument()
        client = anthropic.Anthropic(base_url={sim.base_url!r}, api_key={API_KEY!r})
        stream = client.messages.create(**{request_of(stream=True)!r})
        reader = InMemoryMetricReader()
        metrics.set_meter_provider(MeterProvider([reader]))
        call()
        stream.close()
        found = {{
            metric.name.removeprefix("anthropic.client."): metric.data.data_points
            for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
        }}
        ended = [sum(point.count for point in found[name]) for name in ("attempt.duration", "call.duration")]
        print(found["attempt.started"][0].value, *ended)
    """
    result = _python(code, sim.base_url)
    assert (result.stdout.strip(), result.stderr) == ("1 1 1", "")


def test_telemetry_that_goes_nowhere_is_told_once(sim: Simulator) -> None:
    """One line, which says how to change it; and not before the first call."""
    code = """
        logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
        anthropic_otel.instrument()
        print("instrumented", file=sys.stderr, flush=True)
        call()
        call()
    """
    first, second = _python(code, sim.base_url).stderr.splitlines()
    assert first == "instrumented"
    assert second.startswith("WARNING anthropic_otel No OpenTelemetry provider is set")
    assert "export='otlp'" in second


def test_an_app_without_logging_prints_nothing_of_attempts(sim: Simulator) -> None:
    """The library has no handler but one that drops, so that Python's last resort stays silent."""
    code = """
        trace.set_tracer_provider(TracerProvider())
        anthropic_otel.instrument()
        call()
    """
    sim.play("http_529")
    result = _python(code, sim.base_url)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_default_client_is_seen(stack: Stack, sim: Simulator, recorded: Telemetry) -> None:
    """The client that an app has that says nothing of HTTP clients."""
    recorded.instrument()
    cls: Any = anthropic.AsyncAnthropic if stack.asynchronous else anthropic.Anthropic
    with Driver(asynchronous=stack.asynchronous) as driver:
        client = cls(base_url=sim.base_url, api_key=API_KEY)
        driver(client.messages.create(**request_of()))
        driver(client.close())
    assert _outcomes(recorded) == ["completed"]


def test_the_same_http_client_serves_two_sdk_clients(stack: Stack, sim: Simulator, recorded: Telemetry) -> None:
    """Each call of either is seen once."""
    recorded.instrument()
    with Driver(asynchronous=stack.asynchronous) as driver:
        http = http_client(stack)
        one, two = (SdkApp(stack, Endpoint(sim.base_url), driver, recorded, http=http) for _ in range(2))
        one.create()
        two.create()
        one.close()
    assert len(recorded.attempts) == 2
    identities.check(recorded, calls=2)
