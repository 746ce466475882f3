"""What no well-behaved client sends gets a clean error of the API, and costs a bounded amount of memory and time.

Rule: a request is written to the socket byte by byte as it is to come. No HTTP client stands between.
"""

from __future__ import annotations

import json
import re
import resource
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anthropic_otel.simulator import Reply, Simulator
from support.stacks import LONG

MEGABYTE: Final = 1024 * 1024
HEAD: Final = b"host: s\r\nx-api-key: k\r\nanthropic-version: 2023-06-01\r\n"
GOOD: Final[dict[str, Any]] = {
    "model": "claude-opus-5",
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "hi"}],
}


@dataclass(frozen=True)
class Answer:
    """A response as it came, and how many bytes were left after it."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def error(self) -> tuple[int, str]:
        """The status and the API's error type, Bedrock's exception or Google's status.

        Fails if the body is no error in the form of one of them.
        """
        value = json.loads(self.body)
        if exception := self.headers.get(b"x-amzn-errortype"):
            assert value.keys() == {"message"}
            assert value["message"]
            return self.status, exception.partition(b":")[0].decode()
        if "code" in value["error"]:
            assert value["error"]["message"]
            assert value["error"]["code"] == self.status
            return self.status, value["error"]["status"]
        assert value["type"] == "error"
        assert value["error"]["message"]
        return self.status, value["error"]["type"]


class Wire:
    """A connection on which bytes go out as they are, and responses come in one by one."""

    def __init__(self, sim: Simulator) -> None:
        self.socket = socket.create_connection(("127.0.0.1", int(sim.base_url.rsplit(":", 1)[1])), timeout=LONG)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> Wire:
        self.socket.sendall(data)
        return self

    def answer(self, *, has_body: bool = True) -> Answer:
        status = int(self.file.readline().split()[1])
        headers: dict[bytes, bytes] = {}
        while line := self.file.readline().rstrip(b"\r\n"):
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        length = int(headers.get(b"content-length", b"0"))
        return Answer(status, headers, self.file.read(length) if has_body else b"")

    def at_end(self) -> bool:
        """Whether the server closes the connection, and sends nothing before it does."""
        return self.file.read(1) == b""


def post(body: bytes, *, target: bytes = b"/v1/messages", more: bytes = b"") -> bytes:
    """A request that is well-formed HTTP, whatever is in it."""
    return b"POST %s HTTP/1.1\r\n%s%scontent-length: %d\r\n\r\n%s" % (target, HEAD, more, len(body), body)


@pytest.fixture
def wire(sim: Simulator) -> Iterator[Wire]:
    """A connection to a simulator that, whatever came on it, goes on to serve others."""
    with Wire(sim) as made:
        yield made
    with Wire(sim) as other:
        assert other.send(post(json.dumps(GOOD).encode())).answer().status == 200


INVALID: Final = (400, "invalid_request_error")
NO_MODEL: Final = (404, "not_found_error")


def invalid_at(target: str) -> tuple[int, str]:
    """What an invalid request to that target gets."""
    return (400, "ValidationException") if target.startswith("/model/") else INVALID


# -- bodies ------------------------------------------------------------------------------------------------------------

BODIES: Final = {
    "empty": b"",
    "no JSON": b"{",
    "not an object": b"[1]",
    "null": b"null",
    "not UTF-8": b'{"model": "\xff"}',
    "deeper than Python's stack": b'{"model": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "as deep as Python's stack": b'{"messages": ' + b"[" * 900 + b"]" * 900 + b"}",
    "deep objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "a number of 5000 digits": b'{"max_tokens": ' + b"9" * 5_000 + b"}",
    "not a number": b'{"max_tokens": NaN}',
    "a number that no float can hold": json.dumps(GOOD).encode().replace(b'"max_tokens": 5', b'"max_tokens": 1e400'),
    "a whole number that no float can hold": json.dumps(GOOD | {"max_tokens": 10**400}).encode(),
    "such a number in a schema": json.dumps(GOOD | {"tools": [{"name": "t", "input_schema": {"const": 7}}]})
    .encode()
    .replace(b"7", b"-1e999"),
    "half a surrogate pair": json.dumps(GOOD | {"model": "\ud800"}).encode(),
    "half a surrogate pair as bytes": json.dumps(GOOD | {"model": "?"}).encode().replace(b"?", b"\xed\xa0\x80"),
    "half a surrogate pair in UTF-16": json.dumps(GOOD | {"model": "\ud800"}).encode("utf-16-le"),
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_not_valid_json_is_refused(body: bytes, wire: Wire) -> None:
    """It gets the API's 400, and the connection can be used again."""
    assert wire.send(post(body)).answer().error == INVALID
    assert wire.send(post(json.dumps(GOOD).encode())).answer().status == 200


UNCACHEABLE: Final[tuple[Any, ...]] = (
    1,
    "ephemeral",
    [],
    {},
    {"type": "x"},
    {"type": "ephemeral", "ttl": None},
    {"type": "ephemeral", "ttl": [1]},
)
WRONG: Final[dict[str, tuple[Any, ...]]] = {
    "model": (["m"], {"m": 1}, None, 1, "", True),
    "max_tokens": ("5", None, -1, 1.5, True, []),
    "messages": (
        None,
        "hi",
        {},
        [1],
        [None],
        [{}],
        [{"role": 1, "content": "x"}],
        [{"role": "user", "content": [1]}],
        *(
            [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": value}]}]
            for value in UNCACHEABLE
        ),
    ),
    "stream": ("true", 1, [], {}),
    "system": (1, {}, [1], *([{"type": "text", "text": "x", "cache_control": value}] for value in UNCACHEABLE)),
    "tools": (
        "t",
        {},
        [1],
        [{"input_schema": 1}],
        [{"input_schema": {}}],
        [{"name": [], "input_schema": {}}],
        *([{"name": "t", "input_schema": {}, "cache_control": value}] for value in UNCACHEABLE),
    ),
    "tool_choice": ("any", 1, []),
    "output_config": ("x", {"format": 1}, {"format": {"schema": []}, "x": 1} | {"format": {"schema": [1]}}),
    "output_format": (1, {"schema": "x"}),
    "context_management": (1, "x", [], {"edits": 7}, {"edits": None}, {"edits": {}}, {"edits": [1]}),
}


@pytest.mark.parametrize("field", WRONG)
def test_a_field_of_a_wrong_type_is_refused_by_its_name(field: str, wire: Wire) -> None:
    """Each gets the API's 400, the message of which begins with the field."""
    for value in WRONG[field]:
        answer = wire.send(post(json.dumps(GOOD | {field: value}).encode())).answer()
        assert answer.error == INVALID, value
        assert re.match(rf"{field}(\.[\w.]+)?: ", json.loads(answer.body)["error"]["message"]), value


@pytest.mark.parametrize("field", [name for name in WRONG if name != "max_tokens"])
def test_a_field_of_a_wrong_type_is_refused_where_tokens_are_counted(field: str, wire: Wire) -> None:
    """Token counting takes the fields of a message but for `max_tokens`, and refuses the same values of them."""
    good = {name: value for name, value in GOOD.items() if name != "max_tokens"}
    for value in WRONG[field]:
        body = json.dumps(good | {field: value}).encode()
        answer = wire.send(post(body, target=b"/v1/messages/count_tokens")).answer()
        assert answer.error == INVALID, value
        assert re.match(rf"{field}(\.[\w.]+)?: ", json.loads(answer.body)["error"]["message"]), value
    answer = wire.send(post(json.dumps(good).encode(), target=b"/v1/messages/count_tokens")).answer()
    assert json.loads(answer.body)["input_tokens"] > 0


def test_a_cache_control_of_null_caches_nothing(wire: Wire) -> None:
    """The API takes null wherever a `cache_control` may be, as the types of the SDK do."""
    block = {"type": "text", "text": "x", "cache_control": None}
    tool: dict[str, Any] = {"name": "t", "input_schema": {"type": "object"}, "cache_control": None}
    body = GOOD | {"messages": [{"role": "user", "content": [block]}], "system": [block], "tools": [tool]}
    for _ in range(2):
        answer = wire.send(post(json.dumps(body).encode())).answer()
        used = json.loads(answer.body)["usage"]
        assert answer.status == 200
        assert (used["cache_creation_input_tokens"], used["cache_read_input_tokens"]) == (0, 0)


SCHEMAS: Final[dict[str, Any]] = {
    "refers to itself": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
    "doubles forty times": {
        "$ref": "#/$defs/0",
        "$defs": {
            str(n): {"type": "object", "properties": {k: {"$ref": f"#/$defs/{n + 1}"} for k in "ab"}} for n in range(40)
        },
    },
    "has wrong types": {"properties": [1], "required": {"a": 1}, "$defs": 3},
    "refers to a number": {"$ref": 7},
    "has choices that are none": {"anyOf": {"a": 1}, "enum": 4, "type": []},
    "has a type of objects": {"type": {"a": 1}, "minItems": "x"},
    "requires what has no name": {"type": "object", "required": [[1], {}, None, "a"]},
    "is true below": {"type": "array", "items": True, "minItems": 1},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_that_makes_no_sense_is_answered(schema: Any, stream: bool, wire: Wire) -> None:
    """A structured output is bounded, however endless or wrong its schema."""
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    body = json.dumps(GOOD | {"output_config": wanted, "stream": stream}).encode()
    assert wire.send(post(body, more=b"connection: close\r\n")).answer(has_body=False).status == 200
    assert len(wire.file.read()) < 2 * MEGABYTE


_CACHED: Final[Any] = {"type": "ephemeral", "ttl": "1h"}
FULL: Final[dict[str, Any]] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 2_000,
    "stream": False,
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": _CACHED}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "u", "name": "t", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "u", "content": "x"}]},
    ],
    "system": [{"type": "text", "text": "s", "cache_control": _CACHED}],
    "tools": [
        {
            "name": "t",
            "cache_control": _CACHED,
            "input_schema": {
                "type": "object",
                "required": ["a"],
                "properties": {
                    "a": {"type": "integer", "minimum": 3},
                    "b": {"type": "array", "items": {"enum": ["a"]}, "minItems": 2},
                    "c": {"anyOf": [{"$ref": "#/$defs/d"}]},
                },
                "$defs": {"d": {"const": 3}},
            },
        },
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5"},
    ],
    "tool_choice": {"type": "auto"},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "context_management": {"edits": [{"type": "compact_20260112"}]},
    "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
    "output_format": {"type": "json_schema", "schema": {"type": "object"}},
    "speed": "standard",
    "service_tier": "auto",
}
_BETAS: Final = (
    "advisor-tool-2026-03-01",
    "compact-2026-01-12",
    "structured-outputs-2025-11-13",
)
"""The beta headers that `FULL` needs."""
_NOT_COUNTED: Final = ("max_tokens", "stream", "service_tier")
"""The fields of `FULL` that a request to count tokens does not have."""
ODD: Final[dict[str, Any]] = {
    "null": None,
    "a boolean": True,
    "a number": 7,
    "a fraction": 1.5,
    "a string": "x",
    "an empty list": [],
    "a list": [None, 7],
    "an empty object": {},
    "an object": {"type": {}, "name": None},
    "nested": [[{"type": [{}], "content": {"edits": 7}}]],
}


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys and indices that lead to each value in a JSON value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*place, key)
        yield from _places(inner, (*place, key))


def _replaced(value: Any, place: tuple[Any, ...], by: Any) -> Any:
    """A copy of a JSON value that has another value in that place."""
    if not place:
        return by
    copied = value.copy()
    copied[place[0]] = _replaced(value[place[0]], place[1:], by)
    return copied


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens", "/model/m/invoke"])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_request_with_one_odd_value_is_answered(odd: Any, path: str, wire: Wire) -> None:
    """In whatever place of a request the value is, the answer is a message or the API's 400, or 404 for the model."""
    whole = {name: value for name, value in FULL.items() if "count" not in path or name not in _NOT_COUNTED}
    if path.startswith("/model/"):
        whole |= {"anthropic_beta": list(_BETAS)}
    headers = b"anthropic-beta: %s\r\n" % ",".join(_BETAS).encode()
    no_result = whole | {"messages": whole["messages"][:1]}
    for full in (whole, no_result, {name: value for name, value in no_result.items() if not name.startswith("tool")}):
        assert wire.send(post(json.dumps(full).encode(), target=path.encode(), more=headers)).answer().status == 200
        for place in _places(full):
            if place == ("stream",) and odd is True:
                continue  # an ordinary stream
            body = json.dumps(_replaced(full, place, odd)).encode()
            answer = wire.send(post(body, target=path.encode(), more=headers)).answer()
            refused = NO_MODEL if place == ("model",) and isinstance(odd, str) else invalid_at(path)
            assert answer.status == 200 or answer.error == refused, place


_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_FIELDS: Final = (
    "model",
    "max_tokens",
    "messages",
    "stream",
    "system",
    "tools",
    "tool_choice",
    "output_config",
    "context_management",
    "thinking",
)
_TARGETS: Final = ("/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches", "/model/m/invoke")


@settings(max_examples=60, deadline=None)
@given(body=st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=8), target=st.sampled_from(_TARGETS))
def test_any_json_is_answered(shared: Simulator, body: dict[str, Any], target: str) -> None:
    """Whatever the fields hold, the answer is a message or the API's 4xx, never a broken connection or a 5xx."""
    with Wire(shared) as wire:
        answer = wire.send(post(json.dumps(GOOD | body).encode(), target=target.encode())).answer()
    refused = {invalid_at(target)[1], NO_MODEL[1]} if isinstance(body.get("model"), str) else {invalid_at(target)[1]}
    assert answer.status == 200 or answer.error[1] in refused


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    """One simulator for all examples of a property."""
    with Simulator(record=False) as simulator:
        yield simulator


# -- size --------------------------------------------------------------------------------------------------------------


def _peak() -> int:
    """The most memory that this process, in which the server runs, has ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _sent_until_answered(wire: Wire, piece: bytes, times: int) -> int:
    """Sends a piece again and again until there is an answer; returns how many times it was sent."""
    for count in range(times):
        if select.select([wire.socket], [], [], 0)[0]:
            return count
        wire.send(piece)
    return times


@pytest.mark.parametrize(
    ("target", "most"),
    [
        (b"/v1/messages", 32 * MEGABYTE),
        (b"/v1/messages/count_tokens", 32 * MEGABYTE),
        (b"/v1/messages/batches", 256 * MEGABYTE),
        (b"/anthropic/v1/messages/batches?beta=true", 256 * MEGABYTE),
        (b"/v1/files", 501 * MEGABYTE),
        (b"/v1/files/f/content", 32 * MEGABYTE),
    ],
)
def test_a_path_has_its_own_largest_body(target: bytes, most: int, sim: Simulator) -> None:
    """A batch and a file may be larger than a message. One byte more gets a 413 by its length alone."""
    asks = b"POST %s HTTP/1.1\r\n%sexpect: 100-continue\r\ncontent-length: %d\r\n\r\n"
    for length, status in ((most, 100), (most + 1, 413)):
        with Wire(sim) as wire:
            assert wire.send(asks % (target, HEAD, length)).answer(has_body=False).status == status


def test_a_body_of_300_mb_is_refused_before_it_comes(wire: Wire) -> None:
    """Its length is enough for a 413: none of it is needed, and what comes all the same is thrown away."""
    before = _peak()
    wire.send(b"POST /v1/messages HTTP/1.1\r\n%scontent-length: %d\r\n\r\n" % (HEAD, 300 * MEGABYTE))
    assert wire.answer().error == (413, "request_too_large")
    assert wire.at_end()
    assert _peak() - before < 32 * MEGABYTE


def test_a_chunked_body_of_300_mb_is_refused_when_it_is_too_large(wire: Wire) -> None:
    """Nothing says its length: it gets a 413 when more has come than the API takes, and no more than that is kept."""
    before = _peak()
    wire.send(b"POST /v1/messages HTTP/1.1\r\n%stransfer-encoding: chunked\r\n\r\n" % HEAD)
    chunk = b"%x\r\n%s\r\n" % (MEGABYTE, bytes(MEGABYTE))
    assert _sent_until_answered(wire, chunk, 300) < 300
    assert wire.answer().error == (413, "request_too_large")
    assert _peak() - before < 150 * MEGABYTE


def test_the_sdk_gets_to_read_that_its_request_is_too_large(sim: Simulator) -> None:
    """It sends its whole body before it reads: the connection stays until it has."""
    with (
        anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as client,
        pytest.raises(anthropic.APIStatusError) as raised,
    ):
        client.messages.create(
            model="claude-opus-5", max_tokens=1, messages=[{"role": "user", "content": "x" * 34_000_000}]
        )
    error = raised.value.response.json()["error"]
    assert (raised.value.status_code, error["type"]) == (413, "request_too_large")


def test_the_record_keeps_a_bounded_number_of_bytes(monkeypatch: pytest.MonkeyPatch, sim: Simulator) -> None:
    """Large requests leave the record sooner than small ones; the latest is there as long as it fits."""
    monkeypatch.setattr("anthropic_otel.simulator.server._RECORDED_BYTES", 3_000)
    large = json.dumps(GOOD | {"system": "x" * 1_000}).encode()
    with Wire(sim) as wire:
        for _ in range(5):
            assert wire.send(post(large)).answer().status == 200
        assert len(sim.requests) == 2
        for _ in range(5):
            assert wire.send(post(json.dumps(GOOD).encode())).answer().status == 200
    assert len(sim.requests) >= 6


HEADS: Final = {
    "a target of 70 KB": b"POST /" + b"a" * 70_000 + b" HTTP/1.1\r\n",
    "a header of 300 KB": b"POST /v1/messages HTTP/1.1\r\nx-large: " + b"a" * 300_000,
    "headers without an end": b"POST /v1/messages HTTP/1.1\r\n" + b"a: b\r\n" * 50_000,
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_head_that_is_too_large_is_refused(head: bytes, wire: Wire) -> None:
    """It gets a 431 in the API's error shape, and the connection ends."""
    wire.send(head)
    assert wire.answer().error == (431, "invalid_request_error")
    assert wire.at_end()


def test_a_target_of_60_kb_is_a_path_that_does_not_exist(wire: Wire) -> None:
    """What fits into the head is read, and is not found."""
    assert wire.send(post(b"{}", target=b"/" + b"a" * 60_000)).answer().error == (404, "not_found_error")


# -- targets and methods -----------------------------------------------------------------------------------------------

TARGETS: Final = {
    b"*": (404, "not_found_error"),
    b"//v1/messages": (404, "not_found_error"),
    b"///": (404, "not_found_error"),
    b"//[": INVALID,
    b"http://[::1/v1/messages": INVALID,
    b"/%": (404, "not_found_error"),
    b"/%ff%00%zz%": (404, "not_found_error"),
    b"/v1/%6dessages%2f": (404, "not_found_error"),
    b"/v1/models/%ff%00": (404, "not_found_error"),
    b"/v1/modelsclaude-sonnet-5-5": (404, "not_found_error"),
    b"/v1/modelsfoo": (404, "not_found_error"),
    b"/v1/messages/batchesfoo": (404, "not_found_error"),
    b"/v1/messages/batchesfoo/cancel": (404, "not_found_error"),
    b"/v1/projects/p/locations/l/publishers/anthropic/models/m:predict": (404, "NOT_FOUND"),
    b"/../../etc/passwd": (404, "not_found_error"),
    b"/redirected/" + b"9" * 5_000 + b"/v1/messages": (404, "not_found_error"),
    b"/model//invoke": (404, "not_found_error"),
    b"?": (404, "not_found_error"),
    b"v1/messages": (404, "not_found_error"),
}


@pytest.mark.parametrize(("target", "error"), TARGETS.items(), ids=lambda value: repr(value)[:40])
def test_an_odd_target_is_refused(target: bytes, error: tuple[int, str], wire: Wire) -> None:
    """It is not found or not valid, in the API's words."""
    assert wire.send(post(json.dumps(GOOD).encode(), target=target)).answer().error == error


def test_a_target_in_absolute_form_is_its_path(wire: Wire) -> None:
    """A client may write the whole URL, as it does to a proxy."""
    body = json.dumps(GOOD).encode()
    assert wire.send(post(body, target=b"http://api.example/v1/messages?a=b")).answer().status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *((method, b"/v1/messages") for method in (b"GET", b"PUT", b"DELETE", b"OPTIONS", b"BREW")),
        (b"DELETE", b"/v1/messages/batches"),
    ],
)
def test_a_method_that_a_path_does_not_have_is_refused(method: bytes, path: bytes, wire: Wire) -> None:
    """A request with a method that its path does not have gets a 405."""
    wire.send(b"%s %s HTTP/1.1\r\n%s\r\n" % (method, path, HEAD))
    assert wire.answer().error == (405, "invalid_request_error")


def test_a_client_that_takes_it_for_a_proxy_is_refused(sim: Simulator, wire: Wire) -> None:
    """CONNECT gets a 405, whatever was ordered for the next request."""
    sim.play(Reply(body=b"x"))
    wire.send(b"CONNECT api.anthropic.com:443 HTTP/1.1\r\nhost: api.anthropic.com:443\r\n\r\n")
    assert wire.answer().error == (405, "invalid_request_error")
    sim.reset()


def test_a_response_to_head_has_no_body(wire: Wire) -> None:
    """Its headers are those of the response, and the next response follows at once."""
    wire.send(b"HEAD /v1/models HTTP/1.1\r\n%s\r\n" % HEAD)
    head = wire.answer(has_body=False)
    assert (head.status, int(head.headers[b"content-length"]) > 0) == (200, True)
    assert wire.send(post(b"{}")).answer().error == INVALID


# -- framing -----------------------------------------------------------------------------------------------------------

_POST: Final = b"POST /v1/messages HTTP/1.1\r\n" + HEAD
FRAMINGS: Final = {
    "bytes that are not HTTP": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
    "no version": b"POST /v1/messages\r\n\r\n",
    "a space before the colon": b"POST /v1/messages HTTP/1.1\r\nhost : s\r\n\r\n",
    "a null byte in a header": b"POST /v1/messages HTTP/1.1\r\nhost: s\r\nx: a\x00b\r\n\r\n",
    "no host": b"POST /v1/messages HTTP/1.1\r\nx-api-key: k\r\n\r\n",
    "two hosts": _POST + b"host: t\r\n\r\n",
    "two lengths": _POST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "a length that is none": _POST + b"content-length: two\r\n\r\n{}",
    "a negative length": _POST + b"content-length: -2\r\n\r\n{}",
    "an encoding that is none": _POST + b"transfer-encoding: gzip\r\n\r\n{}",
    "a chunk that is none": _POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": _POST + b"transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "a chunk of a huge length": _POST + b"transfer-encoding: chunked\r\n\r\n" + b"f" * 100 + b"\r\n",
}


@pytest.mark.parametrize("data", FRAMINGS.values(), ids=FRAMINGS)
def test_broken_framing_is_refused_and_ends_the_connection(data: bytes, wire: Wire) -> None:
    """It gets the API's 400: where the next request begins, nobody knows."""
    assert wire.send(data).answer().error == INVALID
    assert wire.at_end()


def test_the_same_length_twice_is_one_length(wire: Wire) -> None:
    """HTTP allows it."""
    body = json.dumps(GOOD).encode()
    assert wire.send(post(body, more=b"content-length: %d\r\n" % len(body))).answer().status == 200


def test_a_body_without_a_length_is_no_body(wire: Wire) -> None:
    """The request is refused for its empty body, and what follows for what it is."""
    wire.send(_POST + b"\r\n" + b"\x00\x00 not a request\r\n\r\n")
    assert wire.answer().error == INVALID
    assert wire.answer().error == INVALID
    assert wire.at_end()


def test_http_1_0_is_served_and_closed(wire: Wire) -> None:
    """A stream has no chunks for it: the end of the connection is its end."""
    body = json.dumps(GOOD | {"stream": True}).encode()
    wire.send(b"POST /v1/messages HTTP/1.0\r\n%scontent-length: %d\r\n\r\n%s" % (HEAD, len(body), body))
    answer = wire.answer(has_body=False)
    assert (answer.status, b"transfer-encoding" in answer.headers) == (200, False)
    assert re.search(rb'data: {"type":"message_stop" *}\n\n$', wire.file.read())


def test_pipelined_requests_are_answered_in_their_order(sim: Simulator, wire: Wire) -> None:
    """All of them are sent before the first answer is read."""
    sim.play("http_529", "ok", "http_404")
    wire.send(post(json.dumps(GOOD).encode()) * 4)
    assert [wire.answer().status for _ in range(4)] == [529, 200, 404, 200]


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_request_that_comes_byte_by_byte_is_served(wire: Wire) -> None:
    """As long as it comes to its end."""
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in post(json.dumps(GOOD).encode()):
        wire.send(bytes((byte,)))
    assert wire.answer().status == 200


@pytest.mark.parametrize("begun", [b"POST /v1/mess", _POST + b"content-length: 500\r\n\r\n{"], ids=["head", "body"])
def test_a_request_that_is_given_up_is_refused(begun: bytes, wire: Wire) -> None:
    """A client that says it will send no more, in the middle of its request, gets a 400."""
    wire.send(begun).socket.shutdown(socket.SHUT_WR)
    assert wire.answer().error == INVALID
    assert wire.at_end()


@pytest.mark.parametrize("begun", [b"POST /v1/mess", _POST + b"content-length: 500\r\n\r\n{"], ids=["head", "body"])
def test_a_request_that_does_not_come_to_its_end_is_refused(begun: bytes) -> None:
    """After the simulator's patience it gets a 408; a connection on which nothing has begun may stay."""
    with Simulator(patience=0.05) as sim, Wire(sim) as wire, Wire(sim) as idle:
        assert wire.send(begun).answer().error == (408, "timeout_error")
        assert wire.at_end()
        assert idle.send(post(json.dumps(GOOD).encode())).answer().status == 200


def test_a_client_that_goes_away_leaves_nothing(sim: Simulator) -> None:
    """Connections that are reset in the middle of a request or a response are not served any longer."""
    for data in (
        b"POST /v1",
        _POST + b"content-length: 9\r\n\r\n{",
        post(json.dumps(GOOD | {"stream": True}).encode()),
    ):
        with Wire(sim) as wire:
            wire.send(data)
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    with Wire(sim) as other:
        assert other.send(post(json.dumps(GOOD).encode())).answer().status == 200
