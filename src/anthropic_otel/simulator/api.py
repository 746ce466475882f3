"""The simulated API: decides what it answers to a request, on the API's own and other platforms' paths.

An action may send this answer, break or change it, or send something else.

Rule: no sockets. A request comes in as a value, an answer goes out as a value; `perform.py` sends it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from anthropic_otel.simulator import messages, usage
from anthropic_otel.simulator.answers import Answer, Refused, Streamed, Whole
from anthropic_otel.simulator.batches import Batches
from anthropic_otel.simulator.bodies import body_of, invalid, refusal_of
from anthropic_otel.simulator.headers import Ids
from anthropic_otel.simulator.limits import Cost
from anthropic_otel.simulator.paging import page
from anthropic_otel.simulator.platforms import Platform, Route, path_of, route_of
from anthropic_otel.simulator.wire import AwsEventStream, Json, ServerSentEvents, Wire


@dataclass(frozen=True, slots=True)
class Received:
    """A request as the server received it.

    - `target`: the path with its query, undecoded.
    - `headers`: in their order; names are as the client wrote them.
    - `body`: the bytes without the transfer encoding, and as the client encoded them; empty until all were read.
    - `connection`: the number of the connection that it came on, counted from 1 at each start across all listeners.
    - `tls`: whether that connection is encrypted.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int
    tls: bool = False

    def header(self, name: str) -> str:
        """Returns the value of the first header of that name, or an empty string. `name` must be lower case."""
        return next((value for key, value in self.headers if key.lower() == name), "")


_MODELS: Final = {
    "claude-opus-5-5": "Claude Opus 5.5",
    "claude-sonnet-5-5": "Claude Sonnet 5.5",
    "claude-haiku-5-5": "Claude Haiku 5.5",
}
_MODELS_PATH: Final = "/v1/models"
_BATCHES_PATH: Final = "/v1/messages/batches"
_VERSION: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NO_VERSION: Final = "anthropic-version: header is required"
_CREATED: Final = "2026-10-01T00:00:00Z"
_MANAGED: Final = "/anthropic"
"""The path prefix that Amazon Bedrock's Mantle endpoint and Microsoft Foundry put before the API's own paths."""


class Api:
    """Answers requests as the Messages API does, and remembers batches and which prompts it cached.

    `ids` makes the ids in answers. `now` returns the time in seconds since the epoch, for batches; `answer` raises what
    it raises. `words` is the length of a text reply, which `max_tokens` or one of the `stop_sequences` may cut. A
    stream cuts the text before each space, and has one delta event for each part.

    What an answer changes, such as that a prompt is cached or a batch created, is changed once the answer was given to
    `admitted`.
    """

    def __init__(self, ids: Ids, words: int, now: Callable[[], float]) -> None:
        self._ids = ids
        self._words = words
        self._cache = usage.PromptCache()
        self._batches = Batches(ids, self._batched, now)

    def answer(self, request: Received) -> Answer:
        """Returns the API's answer to the request: a `Refused` for a request that the API would refuse, else the reply.

        A `Refused` has status 400 for a wrong URL or body, 401 if there is neither `x-api-key` nor `authorization`, 404
        for a path or a model's page that does not exist, and 405 for a wrong method of the API's own Messages, token
        counting and list of batches; a message on Bedrock's and Vertex's paths has a 404 for a wrong method, and all
        other paths take any. Bedrock's and Vertex's paths need no key, and their model and whether to stream are taken
        from the path. The API's own paths may begin with `/anthropic`, as
        on Foundry, and need one `anthropic-version`, a date. Kinder than the API: that may be any date, and a message
        may ask for a model of any name and for any number of tokens.
        """
        try:
            path = path_of(request.target)
        except ValueError:
            return invalid("The request target is not a valid URL")
        route = route_of(request.target)
        if route.platform is Platform.API:
            return self._first_party(request, path.removeprefix(_MANAGED))
        if request.method != "POST":
            return _not_found()
        if route.platform is Platform.BEDROCK:
            return self._platform(request, route.model, route.verb != "invoke", AwsEventStream())
        return self._vertex(request, route)

    def admitted(self, answer: Whole | Streamed) -> None:
        """Remembers what the answer's request caches or changes. To be called unless a rate limit turns it away."""
        self._cache.write(answer.caches)
        if isinstance(answer, Whole) and answer.change is not None:
            answer.change()

    def _first_party(self, request: Received, path: str) -> Answer:
        if not request.header("x-api-key") and not request.header("authorization"):
            return Refused(401, "authentication_error", "x-api-key header is required")
        version = ", ".join(value for name, value in request.headers if name.lower() == "anthropic-version")
        if not _VERSION.fullmatch(version):
            return invalid(f'anthropic-version: "{version}" is not a valid version' if version else _NO_VERSION)
        if path == _MODELS_PATH or path.startswith(f"{_MODELS_PATH}/"):
            return _models(request, path.removeprefix(_MODELS_PATH).lstrip("/"))
        if path == _BATCHES_PATH or path.startswith(f"{_BATCHES_PATH}/"):
            return self._on_batches(request, path.removeprefix(_BATCHES_PATH).strip("/"))
        if path not in ("/v1/messages", "/v1/messages/count_tokens"):
            return _not_found()
        if request.method != "POST":
            return _not_allowed()
        body = body_of(request.body)
        if path.endswith("count_tokens"):
            return _count(body)
        return self._messages(body, ServerSentEvents())

    def _platform(self, request: Received, model: str, stream: bool, wire: Wire) -> Answer:
        body = body_of(request.body)
        return body if isinstance(body, Refused) else self._messages(body | {"model": model, "stream": stream}, wire)

    def _vertex(self, request: Received, route: Route) -> Answer:
        if route.verb not in ("rawPredict", "streamRawPredict"):
            return _not_found()
        if route.model == "count-tokens":
            return _count(body_of(request.body))
        return self._platform(request, route.model, route.verb == "streamRawPredict", ServerSentEvents())

    def _messages(self, body: Json | Refused, wire: Wire) -> Answer:
        if isinstance(body, Refused):
            return body
        if refusal := refusal_of(body):
            return refusal
        prompt, caches = self._cache.usage(body)
        whole = messages.message(body, self._words, self._ids.new("msg"), self._ids.new("toolu"), prompt)
        cost, used = _cost(body, whole["usage"]), whole["usage"]
        bedrock = isinstance(wire, AwsEventStream)
        if not body.get("stream"):
            headers = usage.bedrock_headers(used) if bedrock else ()
            return Whole(whole, cost=cost, headers=headers, caches=caches)

        def events(pings: int) -> Iterator[Json]:
            found = messages.events(whole, prompt, pings)
            return usage.with_metrics(found, used) if bedrock else found

        return Streamed(events, wire, cost, caches)

    def _on_batches(self, request: Received, rest: str) -> Answer:
        """Answers a path of message batches; `rest` is what follows `/v1/messages/batches/`."""
        name, _, verb = rest.partition("/")
        method, base_url = "GET" if request.method == "HEAD" else request.method, _base_url(request)
        if method == "POST" and not rest:
            return self._batches.create(request.body, base_url)
        if method == "GET" and not rest:
            return self._batches.listed(request.target, base_url)
        if method == "GET" and name and not verb:
            return self._batches.retrieve(name, base_url)
        if method == "DELETE" and name and not verb:
            return self._batches.delete(name)
        if method == "POST" and verb == "cancel":
            return self._batches.cancel(name, base_url)
        if method == "GET" and verb == "results":
            return self._batches.results(name)
        return _not_allowed() if verb in ("", "cancel", "results") else _not_found()

    def _batched(self, params: Json) -> Whole | Refused:
        """Answers a request of a batch, which is never a stream."""
        answer = self._messages({name: value for name, value in params.items() if name != "stream"}, ServerSentEvents())
        assert not isinstance(answer, Streamed)
        if isinstance(answer, Whole):
            self.admitted(answer)
        return answer


def _base_url(request: Received) -> str:
    """Returns the URL by which the client reaches the API's own paths."""
    prefix = _MANAGED if path_of(request.target).startswith(f"{_MANAGED}/") else ""
    return f"{'https' if request.tls else 'http'}://{request.header('host')}{prefix}"


def _not_allowed() -> Refused:
    return Refused(405, "invalid_request_error", "Method Not Allowed")


def _not_found() -> Refused:
    return Refused(404, "not_found_error", "Not found")


def _cost(body: Json, used: Json) -> Cost:
    fast, priority = body.get("speed") == "fast", body.get("service_tier") != "standard_only"
    return Cost(used["input_tokens"], used["output_tokens"], fast, priority)


def _count(body: Json | Refused) -> Whole | Refused:
    if isinstance(body, Refused):
        return body
    if refusal := refusal_of(body, counts=True):
        return refusal
    return Whole({"input_tokens": usage.count_tokens(body)})


def _models(request: Received, name: str) -> Answer:
    if name and name not in _MODELS:
        return Refused(404, "not_found_error", f"model: {name}")
    if request.method not in ("GET", "HEAD"):
        return _not_allowed()
    if not name:
        return page([_model(each) for each in _MODELS], request.target)
    return Whole(_model(name))


def _model(name: str) -> Json:
    return {"type": "model", "id": name, "display_name": _MODELS[name], "created_at": _CREATED}
