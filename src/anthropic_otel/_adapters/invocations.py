"""Makes the `Invocation` of a call from the SDK's client and its request options.

Rule: what is the same for nearly all calls of a client (`_ClientFacts`) is read at its first call. It is read again
only if the client has more or fewer attributes than then, as when an app puts a method of its own on it, if such a
method is gone, or if its base URL has become another object, as an app may set one.

What is private in the SDK is read through `getattr`, with a default for an SDK without it.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from anthropic_otel._adapters.messages import port_of
from anthropic_otel._adapters.models import NO_FIELDS, asks_for_stream, content_in, model_in, model_in_content
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.invocation import ANTHROPIC, Invocation
from anthropic_otel._core.operations import UNKNOWN, operation_of

_SPAN_PREFIX: Final = "anthropic."
_NEWEST: Final = (sys.maxsize,)
_UNCAPPED_RETRY_AFTER: Final = (1, 6)
_DECODES_EVERY_EVENT: Final = (1, 16)
_CAPPED_RETRY_AFTER_SECONDS: Final = 60.0
_MAX_CACHED: Final = 64
_SESSION_RUNNER: Final = "session-tool-runner"
_EVENT_STREAM: Final = "events.stream"


class _ClientFacts:
    """What counts as the same for all calls of one SDK client, as it was when this was made.

    It is made with `of_version`, the invocation with what follows from the SDK's version, and with `forget`, which is
    called with `ref` when the client is gone.

    - `ref`: a weak reference to the client. `base_url`: its base URL.
    - `attributes`: how many attributes the client itself has. `replaced`: those of them that replace the SDK's methods.
    - `tracing`: how the SDK traces its calls. `runs_session`: whether the runner of an agent's session has made it.
    - `of_client`: `of_version` with what is known of the client. The invocations of its calls are made of it.
    - `cache`: the invocations that were made for its calls, by `_Key`.
    """

    __slots__ = ("attributes", "base_url", "cache", "of_client", "ref", "replaced", "runs_session", "tracing")

    def __init__(self, client: Any, of_version: Invocation, forget: Callable[[Any], None]) -> None:
        self.ref = weakref.ref(client, forget)
        self.base_url = getattr(client, "base_url", None)
        self.attributes = len(client.__dict__)
        self.replaced = {name for name in (*_RETRY_RULES, *_BACKOFFS, *_REQUESTS) if name in client.__dict__}
        self.tracing = _tracing_of(client)
        self.runs_session = _runs_session(client)
        # A client of Google Cloud may learn its project, and so its URL, by its first call. Its host is empty before.
        address = getattr(self.base_url, "host", None) or None
        self.of_client = replace(
            of_version,
            provider=_provider_of(client),
            address=address,
            port=port_of(self.base_url) if address is not None else None,
            propagate_context=self.tracing.propagates,
            own_retry_rule=_has_own(client, *_RETRY_RULES),
            own_backoff=_has_own(client, *_BACKOFFS),
            own_requests=_has_own(client, *_REQUESTS),
            has_middleware=bool(getattr(client, "middleware", None)),
        )
        self.cache: dict[tuple[Any, ...], Invocation] = {}


class Invocations:
    """Makes the `Invocation` of each call, or takes it from a cache of those of the same client. Keeps no client alive.

    `sdk_version` is the SDK's version, such as `1.14.0`. If `version_numbers` finds nothing in it, the newest behaviour
    is assumed.
    """

    def __init__(self, sdk_version: str) -> None:
        numbers = version_numbers(sdk_version) or _NEWEST
        self._of_version: Final = Invocation(
            by_names=numbers < _DECODES_EVERY_EVENT,
            max_retry_after=_CAPPED_RETRY_AFTER_SECONDS if numbers < _UNCAPPED_RETRY_AFTER else float("inf"),
        )
        # By `id`: a client class may define equality, and then has no hash.
        self._clients: Final[dict[int, _ClientFacts]] = {}

    def of(self, client: Any, options: Any, stream: bool) -> Invocation:
        """Returns the invocation for a call of `client`, from the client's cache if it has one.

        A new one is put into the cache, which is emptied before if it has 64. `options` are the SDK's
        `FinalRequestOptions`. `stream` is whether the caller knows that a stream is asked for: of events, or of the
        lines of a batch's results. The invocation has:

        - `operation`: the SDK's name of its method in `options`, which the SDK's own span has too. Without such a name
          it is found by HTTP method and URL. `None` if not known.
        - `model`: the model in the body (`models.bounded`), `None` if not known.
        - `max_retries`: that of `options`, or else of the client; `None` if not known.
        - `stream`: the argument `stream`. If `options` do not name the SDK's method, also `True` if the body asks for a
          stream.
        """
        facts = self._clients.get(id(client))
        if (
            facts is None
            or facts.ref() is not client
            or facts.base_url is not getattr(client, "base_url", None)
            or facts.attributes != len(client.__dict__)
            # The client may have as many attributes as before: it gets one at the first use of each resource.
            or (facts.replaced and not facts.replaced <= client.__dict__.keys())
        ):
            facts = self._client_facts(client)
        # Not by attribute, for which pydantic's classes take five times as long.
        fields: Mapping[str, Any] = getattr(options, "__dict__", NO_FIELDS)
        operation, own = fields.get("span_name"), fields.get("max_retries")
        most = own if isinstance(own, int) else getattr(client, "max_retries", None)
        if operation:
            # In place, as it runs at every call.
            key: _Key = (
                operation,
                True,
                model_in(fields.get("json_data")),
                stream,
                most if isinstance(most, int) else None,
            )
        else:
            key = _unnamed(options, fields, stream, most)
        found = facts.cache.get(key)
        if found is None:
            if len(facts.cache) >= _MAX_CACHED:
                facts.cache.clear()
            found = facts.cache[key] = _invocation(facts, *key)
        return found

    def _client_facts(self, client: Any) -> _ClientFacts:
        number, clients = id(client), self._clients

        def forget(gone: Any) -> None:
            facts = clients.get(number)
            if facts is not None and facts.ref is gone:
                clients.pop(number, None)

        facts = clients[number] = _ClientFacts(client, self._of_version, forget)
        return facts


def _invocation(
    facts: _ClientFacts, operation: str | None, of_sdk_method: bool, model: str | None, stream: bool, most: int | None
) -> Invocation:
    # The SDK makes no span for a request that none of its own methods made.
    sdk_makes_span = facts.tracing.enabled and of_sdk_method
    return replace(
        facts.of_client,
        operation=operation.removeprefix(_SPAN_PREFIX) if operation else None,
        model=model,
        stream=stream,
        max_retries=most,
        sdk_makes_span=sdk_makes_span,
        sdk_tracer_provider=facts.tracing.provider if sdk_makes_span else None,
        reopens=facts.runs_session and operation is not None and operation.endswith(_EVENT_STREAM),
    )


_Key = tuple[str | None, bool, str | None, bool, int | None]
"""What a call's invocation depends on beside the client: the arguments of `_invocation` after `facts`."""


def _unnamed(options: object, fields: Mapping[str, Any], stream: bool, most: object) -> _Key:
    """Returns the key of a call whose operation the SDK's options do not name: of an older SDK, or a raw request.

    `fields` are those of `options`. `stream` is as for `Invocations.of`. `most` is the `max_retries`
    of `options` or of the client: if it is no `int`, it counts as not known.
    """
    model = model_in(fields.get("json_data")) or model_in_content(content_in(fields))
    stream = stream or asks_for_stream(options)
    return _operation(fields), False, model, stream, most if isinstance(most, int) else None


def version_numbers(sdk_version: str) -> tuple[int, ...]:
    """Returns those of the first two parts of a version that are numbers, such as `(1, 14)` of `1.14.0`.

    It may be one number, as `(1,)` of `1.x.3`, or none.
    """
    return tuple(int(part) for part in sdk_version.split(".")[:2] if part.isdigit())


def _operation(fields: Mapping[str, Any]) -> str | None:
    """Returns the name of the operation by method and URL in the options' fields, before a platform changes the URL.

    `None` if these are missing or no operation has them.
    """
    method, url = fields.get("method"), fields.get("url")
    if not isinstance(method, str) or not isinstance(url, str):
        return None
    operation = operation_of(method, url.partition("?")[0])
    return operation.name if operation is not UNKNOWN else None


def _provider_of(client: Any) -> str:
    """Returns the `gen_ai.provider.name` of a client, as it is on the SDK's own spans.

    Before 1.14 the SDK does not tell it. Then it is found by the names of the SDK's classes that the client is an
    instance of: the value of the first word in `_PROVIDERS` that is in one of them, else `anthropic`. The names of
    other classes do not count, as a subclass of the app may have any.
    """
    told = getattr(client, "_gen_ai_provider_name", None)
    if isinstance(told, str):
        return told
    names = " ".join(cls.__name__ for cls in type(client).__mro__ if str(cls.__module__).startswith("anthropic."))
    return next((provider for part, provider in _PROVIDERS if part in names), ANTHROPIC)


_PROVIDERS: Final = (("Bedrock", "aws.bedrock"), ("Mantle", "aws.bedrock"), ("Vertex", "gcp.vertex_ai"))


@guarded(False)
def _runs_session(client: Any) -> bool:
    """Returns whether the SDK's runner of an agent's session has made `client`. `False` on a failure.

    Several helpers of the SDK put their names into the header `x-stainless-helper` of the clients that they make. The
    result is whether the name of the runner is among them.
    """
    helpers = getattr(client, "_custom_headers", {}).get("x-stainless-helper")
    return isinstance(helpers, str) and _SESSION_RUNNER in helpers


@guarded(False)
def _has_own(client: Any, *names: str) -> bool:
    """Returns whether the app has replaced any of the SDK's methods with these names, in a subclass or on the client.

    A method counts as replaced if it is on the client itself, or if its `__module__` is none of the SDK's. One that the
    client does not have does not count. `False` on a failure.
    """
    if any(name in client.__dict__ for name in names):
        return True
    methods = [getattr(client, name, None) for name in names]
    return any(not str(method.__module__).startswith("anthropic.") for method in methods if method is not None)


_RETRY_RULES: Final = ("_should_retry", "_should_retry_exception")
_BACKOFFS: Final = ("_calculate_retry_timeout", "_sleep_for_retry")
_REQUESTS: Final = (
    *("_request", "_retry_request", "_copy_and_prepare", "_attempt_request", "_prepare_options", "_build_request"),
    # It is given the options of the next requests too.
    "_sleep_for_retry",
)


class _Tracing(NamedTuple):
    """How the SDK traces the calls of one client. The defaults are for a client without the option `open_telemetry`.

    - `enabled`: whether the SDK makes call spans.
    - `provider`: the tracer provider that the client was given, `None` for the global one.
    - `propagates`: whether the client lets trace context be sent in the headers of requests.
    """

    enabled: bool = False
    provider: object = None
    propagates: bool = True


def _tracing_of(client: Any) -> _Tracing:
    options = getattr(client, "open_telemetry", None)
    if not isinstance(options, Mapping):
        return _Tracing()
    traces = options.get("traces")
    enabled = bool(isinstance(traces, Mapping) and traces.get("enabled")) and _has_tracer(client)
    return _Tracing(enabled, options.get("tracer_provider"), options.get("propagation") is not False)


@guarded(True)
def _has_tracer(client: Any) -> bool:
    """Returns whether the SDK has a tracer for a client. `True` too if the client does not show it, or on a failure.

    Without a tracer the SDK makes no spans: the client's provider has raised, or the global one cannot be loaded. A
    client looks for its tracer when it is first asked for it, be it here.
    """
    return getattr(client, "_tracer", client) is not None
