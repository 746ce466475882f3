"""What a user gives the simulator and is wrong: it fails where it is given, and the error names it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from anthropic_otel.simulator import Cut, Delivery, Ending, ErrorEvent, Limits, Point, Redirect, Reply, Simulator
from anthropic_otel.simulator.__main__ import main


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
        ({"record": -1}, ValueError, "record must be a whole number of at least 0"),
        ({"limits": 50}, TypeError, "limits must be Limits"),
        ({"patience": math.inf}, ValueError, "patience must be a number of at least 0"),
        ({"patience": "long"}, TypeError, "patience must be a number"),
    ],
)
def test_a_simulator_of_wrong_options_is_not_made(options: dict[str, Any], error: type[Exception], said: str) -> None:
    """And so nothing listens."""
    with pytest.raises(error, match=said):
        Simulator(**options)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: Limits(requests=-1), ValueError, "requests must be a whole number of at least 0"),
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
        (lambda: Redirect(hops=0), ValueError, "hops must be a whole number of at least 1"),
        (lambda: Reply("529"), TypeError, "status must be a whole number"),  # type: ignore[arg-type]
        (lambda: Reply(529, 3), TypeError, "error_type and message must be text"),  # type: ignore[arg-type]
        (lambda: Reply(body="x"), TypeError, "body must be bytes"),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_can_be_none_is_refused(make: Callable[[], Any], error: type[Exception], said: str) -> None:
    """Before any request meets it."""
    with pytest.raises(error, match=said):
        make()


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
