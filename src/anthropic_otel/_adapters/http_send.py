"""Records attempts: wraps `send` of the HTTP clients' classes, sync and async, of httpx and httpx2.

Rule: what the app gets back and what is raised are the same objects, and after the send its request has its own
extensions again; the trace context stays in its headers. A failure of ours is never seen by the SDK, which would take
it for a failed attempt and send again.

Which request is an attempt. The first of these that fits decides:

1. A call is current, and the request is by an excluded client other than the call's own: it is none.
2. A call is current, also in a task that outlives it, and the request is one of the SDK's, or one by the call's own
   client to the call's host and port: it is an attempt of the call.
3. The method of the current call runs, and the request is by another client to that host and port, and does not name
   the Messages API: it is none, as it may be for credentials.
4. The client was instrumented by itself, by `instrument` or `instrument_http_client`: it is an attempt.
5. The process is instrumented, the client is not excluded, and the request is one of the SDK's, or names the Messages
   API and `sdk_only` is not set: it is an attempt.
6. It is none.

A client is an HTTP client. In 4 and 5 the runtime must be enabled, and a request of the SDK may still belong to a call
that is not current (`_origin_of`).

A request names the Messages API if it has an `anthropic-version` header, which that requires, or if its path asks a
model of Anthropic's on Bedrock or Vertex, where the version is in the body.

A send within a recorded send belongs to the same attempt if it has the same request. So it does if it has the same
method, host, port, path, kind of client (sync or async), and call or runtime. If it repeats what has failed or was
answered with a 2xx, it is a further attempt of the recorded send.

A request is the SDK's if it has a retry count, and an `anthropic-version` header or a route of Bedrock or Vertex. The
retry count alone is not enough: the SDKs of OpenAI, Groq and others are made by the same generator, and send it too.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from anthropic_otel._adapters import messages, models, transports
from anthropic_otel._adapters.current import RunningCall, current_call, only_call_on
from anthropic_otel._adapters.inner_send import InnerSend
from anthropic_otel._adapters.marks import mark_of
from anthropic_otel._adapters.messages import API_VERSION, RETRY_COUNT
from anthropic_otel._adapters.other_clients import AttemptsElsewhere
from anthropic_otel._adapters.patches import Function, Patch
from anthropic_otel._adapters.sending import Origin, Sending, current_sending
from anthropic_otel._adapters.wiring import Wiring
from anthropic_otel._core.guard import report
from anthropic_otel._core.request import shared_facts
from anthropic_otel._core.send import AttemptSource
from anthropic_otel._core.target import Target


def sync_send(wiring: Wiring, original: Function, patch: Patch) -> Function:
    """Returns the wrapper of a sync client's `send`, which records each send. `wiring` knows the runtime of a send.

    While `patch` is not active, and for a send that is not to be recorded, the wrapper only calls `original`.
    """

    @functools.wraps(original)
    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        sending = begin(wiring, self, request, kwargs, asynchronous=False) if patch.active else None
        if sending is None:
            return original(self, request, *args, **kwargs)
        # Not by `with`, which takes 2,000 instructions more.
        try:
            return sending.returned(original(self, request, *args, **kwargs))
        except BaseException as error:
            sending.raised(error)
            raise

    return send


def async_send(wiring: Wiring, original: Function, patch: Patch) -> Function:
    """Returns the wrapper of an async client's `send`, which does the same as that of `sync_send`."""

    @functools.wraps(original)
    async def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        sending = begin(wiring, self, request, kwargs, asynchronous=True) if patch.active else None
        if sending is None:
            return await original(self, request, *args, **kwargs)
        try:
            return sending.returned(await original(self, request, *args, **kwargs))
        except BaseException as error:
            sending.raised(error)
            raise

    return send


def begin(
    wiring: Wiring, http_client: Any, request: Any, options: Mapping[str, Any], asynchronous: bool
) -> Sending | InnerSend | None:
    """Begins to record a send. Returns an object whose `returned`, or else `raised`, the wrapper must call at the end.

    - A `Sending` for a send with attempts of its own.
    - An `InnerSend` for a send within a recorded send, the outer one, to which its attempts belong.
    - `None` instead of an `InnerSend` if both have the same request object, and the outer send reads trace events.
    - `None` for a request that is no attempt, and on a failure.

    If `returned` is interrupted, the wrapper must call `raised` as well. `options` are the keyword arguments of `send`,
    `asynchronous` is whether the client is an `AsyncClient`. Raises only what interrupts it, such as a
    `KeyboardInterrupt`; the attempt has ended then.
    """
    # Guarded in place: it runs at every request of an instrumented process.
    try:
        running = current_call.get()
        if running is not None and running.model_kept_by and running.http_client_id == id(http_client):
            # As nearly every attempt. That it is one needs no names of headers: to list and search these takes longer.
            target = messages.target_of_request(request)
            invocation = running.call.invocation
            if target.address == invocation.address and target.port == invocation.port:
                return _begin(running, http_client, request, None, target, options.get("auth"), asynchronous)
        sent = messages.names_of(request)
        names_api = API_VERSION in sent or messages.asks_anthropic_on_a_platform(request)
        if running is None and not names_api and RETRY_COUNT not in sent and not wiring.clients:
            # A request to another service, as most are: it pays for no more than this.
            return None
        origin = _origin_of(wiring, http_client, request, running, names_api, RETRY_COUNT in sent)
        if origin is not None:
            target = messages.target_of_request(request)
            return _begin(origin, http_client, request, sent, target, options.get("auth"), asynchronous)
    except Exception as error:
        report("begin", error)
    return None


def _origin_of(
    wiring: Wiring, http_client: Any, request: Any, running: RunningCall | None, names_api: bool, counted: bool
) -> Origin | None:
    """Returns the call that a request belongs to, or the runtime that records it without a call.

    By the list in the module's docstring: the current call by 2, the runtime of the client by 4 or of the process by 5,
    `None` by the others. `None` too if the runtime is not enabled. By 4 and 5, a request of the SDK belongs to the
    running call that `only_call_on` finds. If `only_call_on` finds none, calls `wiring.missed_call`, and returns the
    runtime.

    `running` is the current call, `None` without one. `names_api` is whether the request names the Messages API,
    `counted` whether it has a retry count.
    """
    of_sdk = counted and (names_api or messages.has_platform_route(request))
    mark = mark_of(http_client)
    if running is not None:
        own = running.sends_by(http_client)
        if mark is not None and mark.runtime is None and not own:
            # As where a hook of another client sends by it.
            return None
        if of_sdk:
            return running
        if _goes_to_the_api(request, running):
            if own:
                return running
            if not names_api and not running.finished:
                return None
    if mark is not None:
        runtime = mark.runtime
    else:
        runtime = wiring.process
        if runtime is not None and not (of_sdk or (names_api and not runtime.sdk_only)):
            return None
    if runtime is None or not runtime.enabled():
        return None
    if not of_sdk:
        return runtime
    # Sent by a middleware, in a thread of its own.
    call = only_call_on(http_client, models.noted_key_of(request))
    if call is None:
        wiring.missed_call()
    return call or runtime


def _goes_to_the_api(request: Any, running: RunningCall) -> bool:
    """Returns whether a request goes to the host and the port of the call `running`.

    The port counts, as a machine may have other services.
    """
    url, invocation = request.url, running.call.invocation
    return bool(url.host == invocation.address and messages.port_of(url) == invocation.port)


def _begin(
    origin: Origin,
    http_client: Any,
    request: Any,
    names: list[bytes] | None,
    target: Target,
    auth: Any,
    asynchronous: bool,
) -> Sending | InnerSend | None:
    """Begins to record a send that belongs to `origin`. Returns what `begin` does.

    `names` are the names of the headers of `request`. They are `None` if `origin` is the current call, the call has a
    `model_kept_by`, and `request` goes to the host and the port of the call by the call's HTTP client. `auth` is the
    argument of `send`, `None` without one. Raises what goes wrong: `begin` catches it.
    """
    outer = current_sending.get()
    if outer is not None:
        if outer.request is request:
            # The `send` of a subclass has called that of its base. A transport's events tell whether it does so again.
            return None if outer.attempt.request.emits_events else outer.inner_send(request, names)
        if outer.shares_its_attempt_with(request, origin, asynchronous=asynchronous):
            return outer.inner_send(request, names)
    source: AttemptSource
    model = stream = retry_count = trace_context = None
    if isinstance(origin, RunningCall):
        source = origin.call
        if names is not None:
            if not origin.sends_by(http_client):
                source = AttemptsElsewhere(origin.call, request)
            model = models.noted_model_of(request)
            if origin.has_middleware and RETRY_COUNT in names:
                # Only the SDK's number tells its retry from what a middleware sends.
                retry_count = messages.retry_count_of(request, names)
    else:
        names = names if names is not None else messages.names_of(request)
        source = origin.lone_attempts(messages.retry_count_of(request, names))
        model, stream = models.model_of(request), models.stream_of(request)
    if names is not None and RETRY_COUNT in names and origin is not current_call.get():
        # Nothing of the SDK's call is current here, but the SDK has put the context of its span on the request.
        trace_context = messages.trace_context_of(request, names)
    proxy, emits_events = transports.facts_of(http_client, request.url)
    facts = shared_facts(
        target,
        model,
        stream,
        proxy,
        # Only the auth flow of the SDK fetches credentials within the send.
        auth is not None and type(auth).__module__.partition(".")[0] == "anthropic",
        emits_events and origin.phases,
        retry_count,
    )
    if trace_context is not None:
        facts = replace(facts, trace_context=trace_context)
    return Sending(source, facts, messages.size_of(request), request, names, origin, http_client, asynchronous)
