"""What a user gives the simulator and is wrong: it fails where it is given, and the error names it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from anthropic_otel.simulator import (
    Chunks,
    Cut,
    Delivery,
    Ending,
    ErrorEvent,
    Framing,
    Limits,
    Point,
    Raw,
    Redirect,
    Reply,
    Simulator,
    fault,
)
from anthropic_otel.simulator.__main__ import main
from anthropic_otel.simulator.addresses import Address, Certificate, Detour, Handshake, Place, Proxy, Tls

_HALF = "half of a pair: \ud83d"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"port": -1}, ValueError, "port must be a whole number from 0 to 65535, not -1"),
        ({"port": 70_000}, ValueError, "port must be a whole number from 0 to 65535"),
        ({"port": "8529"}, TypeError, "port must be a whole number, not '8529'"),
        ({"port": True}, TypeError, "port must be a whole number"),
        ({"seed": "x"}, TypeError, "seed must be a whole number"),
        ({"words": 0}, ValueError, "words must be a whole number from 1"),
        ({"words": math.nan}, TypeError, "words must be a whole number"),
        ({"words": 10**12}, ValueError, "words must be a whole number from 1"),
        ({"record": "all"}, TypeError, "record must be a whole number"),
        ({"record": -1}, ValueError, "record must be a whole number from 0"),
        ({"record": None}, TypeError, "record must be a whole number, not None"),
        ({"limits": 50}, TypeError, "limits must be Limits"),
        ({"patience": math.inf}, ValueError, "patience must be a number of at least 0"),
        ({"patience": "long"}, TypeError, "patience must be a number"),
        ({"clock": 1_800_000_000.0}, TypeError, "clock must be a function that returns seconds"),
        ({"models": "m"}, TypeError, r"models must be several names, such as \['my-model'\], or None, not 'm'"),
        ({"models": 5}, TypeError, "models must be several names"),
        ({"betas": ["x", 5]}, TypeError, "each of betas must be"),
        ({"record": 10**30}, ValueError, "record must be a whole number from 0"),
    ],
)
def test_a_simulator_of_wrong_options_is_not_made(options: dict[str, Any], error: type[Exception], said: str) -> None:
    """And so nothing listens."""
    with pytest.raises(error, match=said):
        Simulator(**options)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: Limits(requests=-1), ValueError, "requests must be a whole number from 0"),
        (lambda: Limits(input_tokens=1.5), TypeError, "input_tokens must be a whole number"),  # type: ignore[arg-type]
        (lambda: Limits(priority=5), TypeError, "priority must be two whole numbers"),  # type: ignore[arg-type]
        (lambda: Limits(fast=(1, "x")), TypeError, "fast must be a whole number"),  # type: ignore[arg-type]
        (lambda: Reply(99), ValueError, "status must be a whole number from 200 to 999"),
        (lambda: Reply(304, body=b"xx"), ValueError, "a response with status 304 has no body"),
        (lambda: Reply(204, "api_error"), ValueError, "a response with status 204 has no body"),
        (lambda: Reply(interim=(200,)), ValueError, "an interim status must be a whole number from 100 to 199"),
        (lambda: Reply(interim=(101,)), ValueError, "an interim status must not be 101"),
        (lambda: Reply(interim=("103",)), TypeError, "an interim status must be a whole number"),  # type: ignore[arg-type]
        (lambda: Delivery(pace=-1), ValueError, "pace must be a number of at least 0"),
        (lambda: Delivery(segment=-5), ValueError, "segment must be a whole number of at least 0"),
        (lambda: Delivery(pings=1.5), TypeError, "pings must be a whole number"),  # type: ignore[arg-type]
        (lambda: Cut(Point.BODY, Ending.CLOSE, after=-1), ValueError, "after must be a whole number of at least 0"),
        (lambda: ErrorEvent("api_error", "x", after=-1), ValueError, "after must be a whole number of at least 0"),
        (lambda: Redirect(hops=0), ValueError, "hops must be a whole number from 1 to 1000000000, not 0"),
        (lambda: Redirect(hops=10**9 + 1), ValueError, "hops must be a whole number from 1 to 1000000000"),
        (lambda: Redirect(hops=True), TypeError, "hops must be a whole number"),
        (lambda: Reply("529"), TypeError, "status must be a whole number"),  # type: ignore[arg-type]
        (lambda: Reply(529, 3), TypeError, "error_type must be text"),  # type: ignore[arg-type]
        (lambda: Reply(529, message=None), TypeError, "message must be text"),  # type: ignore[arg-type]
        (lambda: Reply(body="x"), TypeError, "body must be bytes"),  # type: ignore[arg-type]
        (lambda: Reply(529, message=_HALF), ValueError, "message must be text that UTF-8 can encode"),
        (lambda: Reply(529, _HALF), ValueError, "error_type must be text that UTF-8 can encode"),
        (lambda: Reply(529, error_code=_HALF), ValueError, "error_code must be text that UTF-8 can encode"),
        (lambda: Reply(interim=[103]), TypeError, "interim must be a tuple"),  # type: ignore[arg-type]
        (lambda: Reply(delivery=0.5), TypeError, "delivery must be a Delivery"),  # type: ignore[arg-type]
        (lambda: Reply(content_type="a\r\nb: c"), ValueError, "HTTP cannot carry the header 'content-type'"),
        (lambda: Reply(content_type=b"text/html"), TypeError, "content_type must be text"),  # type: ignore[arg-type]
        (lambda: Delivery("gzip"), TypeError, "encoding must be a member of Encoding"),  # type: ignore[arg-type]
        (lambda: Delivery(newline=""), ValueError, "newline must be CR LF, LF or CR"),
        (lambda: Chunks(b"data"), TypeError, "chunks must be a tuple of bytes"),  # type: ignore[arg-type]
        (lambda: Chunks(("data",)), TypeError, "a chunk must be bytes"),  # type: ignore[arg-type]
        (lambda: Chunks((), "\u20ac"), ValueError, "HTTP cannot carry the header 'content-type'"),
        (lambda: Chunks((), ending="close"), TypeError, "ending must be a member of Ending"),  # type: ignore[arg-type]
        (lambda: Raw("HTTP/1.1 200 OK"), TypeError, "data must be bytes"),  # type: ignore[arg-type]
        (lambda: Raw(b"", None), TypeError, "ending must be a member of Ending"),  # type: ignore[arg-type]
        (lambda: Cut("body", Ending.CLOSE), TypeError, "point must be a member of Point"),  # type: ignore[arg-type]
        (lambda: Cut(Point.BODY, 3), TypeError, "ending must be a member of Ending"),  # type: ignore[arg-type]
        (lambda: Cut(Point.BODY, Ending.CLOSE, reply=529), TypeError, "reply must be a Reply"),  # type: ignore[arg-type]
        (lambda: Cut(Point.BODY, Ending.CLEAN, framing=Framing.LENGTH), ValueError, "cannot end cleanly too early"),
        (lambda: ErrorEvent("api_error", _HALF), ValueError, "message must be text that UTF-8 can encode"),
        (lambda: ErrorEvent(None, "x"), TypeError, "error_type must be text"),  # type: ignore[arg-type]
        (lambda: Address("nowhere"), TypeError, "place must be a member of Place"),  # type: ignore[arg-type]
        (lambda: Tls(Certificate.TRUSTED, 529), TypeError, "then must be an action"),  # type: ignore[arg-type]
        (lambda: Handshake(Ending.CLOSE, 256), ValueError, "alert must be a whole number from 0 to 255"),
        (lambda: Proxy("refused"), TypeError, "answer must be a member of ProxyAnswer"),  # type: ignore[arg-type]
        (lambda: Detour(Place.REFUSED, 200), ValueError, "status must be a whole number from 300 to 399"),
        (lambda: Detour("http_529"), TypeError, "to must be a Place, or an action"),  # type: ignore[arg-type]
        (lambda: replace(fault("ok"), action="ok"), TypeError, "action must be an action"),  # type: ignore[arg-type]
        (lambda: replace(fault("ok"), needs=None), TypeError, "needs must be Needs"),  # type: ignore[arg-type]
        (lambda: Limits(requests=10**400), ValueError, "requests must be a whole number from 0 to 1000000000000000"),
    ],
)
def test_a_value_that_can_be_none_is_refused(make: Callable[[], Any], error: type[Exception], said: str) -> None:
    """Before any request meets it."""
    with pytest.raises(error, match=said):
        make()


@pytest.mark.parametrize(
    ("headers", "error", "said"),
    [
        ([("a", "b")], TypeError, "headers must be a tuple of pairs of texts"),
        ({"a": "b"}, TypeError, "headers must be a tuple of pairs of texts"),
        (("a", "b"), TypeError, "headers must be a tuple of pairs of texts"),
        ((("retry-after", 1),), TypeError, "headers must be a tuple of pairs of texts"),
        ((("", "b"),), ValueError, "HTTP cannot carry the header ''"),
        ((("a b", "c"),), ValueError, "HTTP cannot carry the header 'a b'"),
        ((("a", "b\r\nc: d"),), ValueError, "HTTP cannot carry the header 'a'"),
        ((("a", "b\0"),), ValueError, "HTTP cannot carry the header 'a'"),
        ((("a", " b"),), ValueError, "HTTP cannot carry the header 'a'"),
        ((("a", "\u20ac"),), ValueError, "HTTP cannot carry the header 'a'"),
        ((("Content-Length", "2"),), ValueError, "headers must not have Content-Length"),
        ((("transfer-encoding", "gzip"),), ValueError, "headers must not have transfer-encoding"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused(headers: Any, error: type[Exception], said: str) -> None:
    """A reply is not made with headers that would break its response."""
    with pytest.raises(error, match=re.escape(said)):
        Reply(headers=headers)


def test_a_header_in_latin_1_is_sent() -> None:
    """HTTP allows bytes beyond ASCII in a header's value, which clients read as Latin-1."""
    with Simulator() as simulator:
        simulator.play(Reply(headers=(("x-name", "Jürgen"),)))
        response = httpx2.post(f"{simulator.base_url}/v1/messages", content=b"{}")
        assert response.headers.raw[-1] == (b"x-name", "Jürgen".encode("latin-1"))
        assert simulator.served[0].headers[-1] == ("x-name", "Jürgen")


@pytest.mark.parametrize(
    ("now", "error"), [(math.nan, ValueError), (-1.0, ValueError), (1e300, ValueError), (None, TypeError)]
)
def test_a_clock_that_shows_no_time_is_refused_at_the_start(now: Any, error: type[Exception]) -> None:
    """The simulator does not start, and can be asked to start again."""
    times = [now, 0.0]
    simulator = Simulator(clock=lambda: times.pop(0) if len(times) > 1 else times[0])
    with pytest.raises(error, match="the clock's time must be"):
        simulator.start()
    with simulator:
        assert simulator.base_url


@pytest.mark.parametrize(
    ("order", "error", "said"),
    [
        (lambda sim: sim.play(529), TypeError, "not 529"),
        (lambda sim: sim.play(["http_529"]), TypeError, "name of a fault"),
        (lambda sim: sim.mix("http_529"), TypeError, "weights by fault"),
        (lambda sim: sim.mix(None), TypeError, "weights by fault"),
        (lambda sim: sim.mix({"http_529": "often"}), TypeError, "the weight of http_529 must be a number"),
        (lambda sim: sim.mix({"http_529": math.nan}), ValueError, "the weight of http_529 must be a number"),
        (lambda sim: sim.mix({"http_529": math.inf}), ValueError, "the weight of http_529 must be a number"),
        (lambda sim: sim.mix({"http_529": 1}, seed="x"), TypeError, "seed must be a whole number"),
        (lambda sim: sim.mix({}), ValueError, "a weight above 0"),
        (lambda sim: sim.mix({"http_529": 1e308, "ok": 1e308}), ValueError, "a finite sum of weights"),
        (lambda sim: sim.mix({"http_529": 10**400, "ok": 1.0}), ValueError, "the weight of http_529 must be a number"),
        (lambda sim: sim.latency(10**400), ValueError, "before_headers must be a number of at least 0"),
        (lambda sim: sim.latency("slow"), TypeError, "before_headers must be a number"),
        (lambda sim: sim.latency(-1), ValueError, "before_headers must be a number of at least 0"),
        (lambda sim: sim.latency(0, math.nan), ValueError, "between_events must be a number"),
        (lambda sim: sim.latency(jitter=math.inf), ValueError, "jitter must be a number"),
        (lambda sim: sim.endpoint(3), TypeError, "not 3"),
        (lambda sim: sim.endpoint(None), TypeError, "not None"),
    ],
)
def test_a_wrong_order_is_refused(order: Callable[[Any], None], error: type[Exception], said: str) -> None:
    """By the call that gives it."""
    with Simulator() as simulator, pytest.raises(error, match=said):
        order(simulator)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "99999"], "argument --port: must be a whole number from 0 to 65535, not '99999'"),
        (["--port", "x"], "argument --port: must be a whole number"),
        (["--words", "0"], "argument --words: must be a whole number from 1"),
        (["--latency", "nan"], "argument --latency: must be a number of at least 0, not 'nan'"),
        (["--pace", "inf"], "argument --pace: must be a number"),
        (["--mix", "http_529=nan"], "the weight of http_529 must be a number of at least 0, not 'nan'"),
        (["--mix", "nope=1"], "no fault to mix is named 'nope'"),
        (["--mix", "ok=0"], "argument --mix: one weight must be above 0"),
        (
            ["--mix", "http_529=1e308", "--mix", "http_404=1e308"],
            "argument --mix: one weight must be above 0, and their",
        ),
        (["--seed", "x"], "argument --seed: must be a whole number"),
    ],
)
def test_the_module_names_the_option(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In the last line of a usage error."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
