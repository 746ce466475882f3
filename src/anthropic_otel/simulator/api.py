"""The simulated API: decides what it answers to a request, on the API's own and other platforms' paths.

An action may send this answer, break or change it, or send something else.

Rule: no sockets. A request comes in as a value, an answer goes out as a value; `perform.py` sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from anthropic_otel.simulator import known, messages, models, usage
from anthropic_otel.simulator.abilities import excess_of, inability_of
from anthropic_otel.simulator.answers import Answer, Refused, Streamed, Whole
from anthropic_otel.simulator.batches import Batches
from anthropic_otel.simulator.bodies import body_of, invalid, refusal_of
from anthropic_otel.simulator.encodings import decoded
from anthropic_otel.simulator.files import Files, not_found, references
from anthropic_otel.simulator.headers import Ids
from anthropic_otel.simulator.known import LONG_OUTPUT, Known
from anthropic_otel.simulator.limits import Cost
from anthropic_otel.simulator.message_threads import Threads
from anthropic_otel.simulator.paging import page
from anthropic_otel.simulator.platforms import Platform, Route, path_of, route_of
from anthropic_otel.simulator.received import Received
from anthropic_otel.simulator.timestamps import written
from anthropic_otel.simulator.wire import AwsEventStream, Json, ServerSentEvents, Wire

_MODELS_PATH: Final = "/v1/models"
_BATCHES_PATH: Final = "/v1/messages/batches"
_FILES_PATH: Final = "/v1/files"
_UNKNOWN_BETAS: Final = (
    "Unexpected value(s) {} for the `anthropic-beta` header. Please consult our documentation at "
    "platform.claude.com/docs or try again without the header."
)
_NO_VERSION: Final = "anthropic-version: header is required"
_CONTAINER_LIFE: Final = 3_600.0
_MANAGED: Final = "/anthropic"
"""The path prefix that Amazon Bedrock's Mantle endpoint and Microsoft Foundry put before the API's own paths."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the headers and the path of a request say about its body.

    - `version`: the version of the API; empty on the paths of platforms.
    - `betas`: the beta headers; none on the paths of platforms, which have them in the body.
    - `long_output`: whether replies of a batch may have `MAX_TOKENS_IN_BATCHES`.
    - `names_models`: whether the model must be one that the simulated API has.
    """

    version: str
    betas: frozenset[str]
    long_output: bool
    names_models: bool


_PLATFORM: Final = _Asked("", frozenset(), long_output=False, names_models=False)


class Api:
    """Answers requests as the Messages API does, and remembers batches, files, threads and which prompts it cached.

    `ids` makes the ids in answers. `now` returns the time in seconds since the epoch, which `answer` needs for batches
    and files; it raises what `now` raises. `words` is the length of a text reply, which `max_tokens` or one of the
    `stop_sequences` may cut. A stream cuts the text before each space, and has one delta event for each part.

    What an answer changes, such as that a prompt is cached or a batch created, is changed once the answer was given to
    `admitted`.
    """

    def __init__(self, ids: Ids, words: int, now: Callable[[], float], known: Known) -> None:
        self._ids, self._now = ids, now
        self._words = words
        self._cache = usage.PromptCache()
        self._known = known
        self._batches = Batches(ids, now)
        self._files = Files(ids, now)
        self._threads = Threads()

    def answer(self, request: Received) -> Answer:
        """Returns the API's answer to the request: a `Refused` for a request that the API would refuse, else the reply.

        A `Refused` has status 400 for a wrong URL, header or body, 401 if there is neither `x-api-key` nor
        `authorization`, 404 for a path, a model, a batch or a file that does not exist, and 405 for a wrong method;
        a message on Bedrock's and Vertex's paths has a 404 for that. These need no key, and their model and whether to
        stream are taken from the path. The API's own paths need one `anthropic-version`. They may begin with
        `/anthropic`, as on Foundry; then a model may have any name, as on Bedrock's and Vertex's paths.
        """
        try:
            path = path_of(request.target)
        except ValueError:
            return invalid("The request target is not a valid URL")
        route = route_of(request.target)
        if route.platform is Platform.API:
            body = decoded(request.body, request.header("content-encoding"), request.target)
            if isinstance(body, Refused):
                return body
            request = replace(request, body=body)
            return self._first_party(request, path.removeprefix(_MANAGED))
        if request.method != "POST":
            return _not_found()
        if route.platform is Platform.BEDROCK:
            return self._platform(request, route.model, route.verb != "invoke", AwsEventStream())
        return self._vertex(request, route)

    def admitted(self, answer: Whole | Streamed) -> None:
        """Remembers what the answer's request caches or changes. Call it unless a rate limit turns the request away."""
        self._cache.write(answer.caches)
        if answer.change is not None:
            answer.change()

    def _first_party(self, request: Received, path: str) -> Answer:
        if not request.header("x-api-key") and not request.header("authorization"):
            return Refused(401, "authentication_error", "x-api-key header is required")
        version = ", ".join(value for name, value in request.headers if name.lower() == "anthropic-version")
        if not known.is_version(version):
            return invalid(f'anthropic-version: "{version}" is not a valid version' if version else _NO_VERSION)
        betas = request.betas
        if unknown := [f"`{name}`" for name in betas if not self._known.has_beta(name)]:
            return invalid(_UNKNOWN_BETAS.format(", ".join(unknown)))
        # Those who serve the API behind a prefix have names of their own for models.
        long_output = path == _BATCHES_PATH and LONG_OUTPUT in betas
        asked = _Asked(version, frozenset(betas), long_output, names_models=path == path_of(request.target))
        if path == _MODELS_PATH or path.startswith(f"{_MODELS_PATH}/"):
            return self._on_models(request, path.removeprefix(_MODELS_PATH).lstrip("/"))
        if path == _BATCHES_PATH or path.startswith(f"{_BATCHES_PATH}/"):
            return self._on_batches(request, path.removeprefix(_BATCHES_PATH).strip("/"), asked)
        if path == _FILES_PATH or path.startswith(f"{_FILES_PATH}/"):
            return self._on_files(request, path.removeprefix(_FILES_PATH).strip("/"))
        if path not in ("/v1/messages", "/v1/messages/count_tokens"):
            return _not_found()
        if request.method != "POST":
            return _not_allowed()
        body = body_of(request.body)
        if path.endswith("count_tokens"):
            return self._count(body, asked)
        return self._messages(body, ServerSentEvents(), asked)

    def _platform(self, request: Received, model: str, stream: bool, wire: Wire) -> Answer:
        body = body_of(request.body)
        if isinstance(body, Refused):
            return body
        return self._messages(body | {"model": model, "stream": stream}, wire, _PLATFORM)

    def _vertex(self, request: Received, route: Route) -> Answer:
        if route.verb not in ("rawPredict", "streamRawPredict"):
            return _not_found()
        if route.model == "count-tokens":
            return self._count(body_of(request.body), _PLATFORM)
        return self._platform(request, route.model, route.verb == "streamRawPredict", ServerSentEvents())

    def _refusal_of(self, body: Json, asked: _Asked, *, counts: bool = False) -> Refused | None:
        """Returns the API's refusal of a Messages body, that of its model too, or `None`."""
        is_platform = asked is _PLATFORM
        if refusal := refusal_of(body, version=asked.version, counts=counts, platform=is_platform, betas=asked.betas):
            return refusal
        model = body["model"]
        if asked.names_models and not self._known.has_model(model):
            return Refused(404, "not_found_error", f"model: {model}")
        if not counts and (inability := inability_of(body, asked.betas)):
            return invalid(inability)
        excess = excess_of(body, long_output=asked.long_output) if asked.names_models and not counts else None
        return invalid(excess) if excess else None

    def _count(self, body: Json | Refused, asked: _Asked) -> Whole | Refused:
        if isinstance(body, Refused):
            return body
        if refusal := self._refusal_of(body, asked, counts=True):
            return refusal
        return Whole({"input_tokens": usage.count_tokens(body)})

    def _messages(self, body: Json | Refused, wire: Wire, asked: _Asked) -> Answer:
        if isinstance(body, Refused):
            return body
        if refusal := self._refusal_of(body, asked) or self._threads.refusal_of(body):
            return refusal
        missing = [] if asked is _PLATFORM else [name for name in references(body) if not self._files.has(name)]
        if missing:
            return not_found(missing[0])
        prompt, caches = self._cache.usage(body)
        container, change = self._container() if usage.executes(body) else (None, None)
        whole = messages.message(body, self._words, self._ids.new("msg"), self._ids.new("toolu"), prompt, container)
        change = self._threads.keeping(body, whole["id"], change)
        cost, used = _cost(body, whole["usage"]), whole["usage"]
        bedrock = isinstance(wire, AwsEventStream)
        if not body.get("stream"):
            headers = usage.bedrock_headers(used) if bedrock else ()
            return Whole(whole, cost=cost, headers=headers, caches=caches, change=change)

        def events(pings: int) -> Iterator[Json]:
            found = messages.events(whole, prompt, pings)
            return usage.with_metrics(found, used) if bedrock else found

        return Streamed(events, wire, cost, caches, change)

    def _container(self) -> tuple[Json, Callable[[], None]]:
        """Returns a container of executed code, with the id of a file made in it, and a function that adds the file."""
        file_id, add = self._files.made("output.txt", b"simulated\n")
        expires_at = written(self._now() + _CONTAINER_LIFE)
        return {"id": self._ids.new("container"), "expires_at": expires_at, "file_id": file_id}, add

    def _on_models(self, request: Received, name: str) -> Answer:
        """Answers a path of models; `name` is what follows `/v1/models/`."""
        if name and not self._known.has_model(name):
            return Refused(404, "not_found_error", f"model: {name}")
        if request.method not in ("GET", "HEAD"):
            return _not_allowed()
        if not name:
            return page(models.listed(self._known), request.target)
        return Whole(models.shown(known.ALIASES.get(name, name)))

    def _on_batches(self, request: Received, rest: str, asked: _Asked) -> Answer:
        """Answers a path of message batches; `rest` is what follows `/v1/messages/batches/`."""
        name, _, verb = rest.partition("/")
        method, base_url = "GET" if request.method == "HEAD" else request.method, _base_url(request)
        if method == "POST" and not rest:
            return self._batches.create(request.body, base_url, lambda params: self._batched(params, asked))
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

    def _on_files(self, request: Received, rest: str) -> Answer:
        """Answers a path of files; `rest` is what follows `/v1/files/`."""
        name, _, verb = rest.partition("/")
        method = "GET" if request.method == "HEAD" else request.method
        if verb not in ("", "content"):
            return _not_found()
        if method == "POST" and not rest:
            return self._files.upload(request.header("content-type"), request.body)
        if method == "GET" and not rest:
            return self._files.listed(request.target)
        if method == "GET" and verb:
            return self._files.content(name)
        if method == "GET":
            return self._files.metadata(name)
        return self._files.delete(name) if method == "DELETE" and name and not verb else _not_allowed()

    def _batched(self, params: Json, asked: _Asked) -> Whole | Refused:
        """Answers a request of a batch, which is never a stream, and remembers what it caches or changes."""
        body = {name: value for name, value in params.items() if name != "stream"}
        answer = self._messages(body, ServerSentEvents(), asked)
        assert not isinstance(answer, Streamed)
        if isinstance(answer, Whole):
            self.admitted(answer)
        return answer


def _base_url(request: Received) -> str:
    """Returns the base URL that the client uses, with the prefix `_MANAGED` if the request's path has it."""
    prefix = _MANAGED if path_of(request.target).startswith(f"{_MANAGED}/") else ""
    return f"{'https' if request.tls else 'http'}://{request.header('host')}{prefix}"


def _not_allowed() -> Refused:
    return Refused(405, "invalid_request_error", "Method Not Allowed")


def _not_found() -> Refused:
    return Refused(404, "not_found_error", "Not found")


def _cost(body: Json, used: Json) -> Cost:
    fast, priority = body.get("speed") == "fast", body.get("service_tier") != "standard_only"
    return Cost(used["input_tokens"], used["output_tokens"], fast, priority)
