"""The simulator's own life: queue, random mix, outages, load, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.request import urlopen

import pytest

from anthropic_otel.simulator import Simulator, fault
from support.stacks import LONG
from support.waiting import collect_garbage, until

_BODY = b'{"model":"claude-opus-5","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'


def _connection(sim: Simulator) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(sim.base_url.removeprefix("http://"), timeout=LONG)


def _post(connection: http.client.HTTPConnection) -> int:
    connection.request(
        "POST", "/v1/messages?beta=true", _BODY, {"x-api-key": "none", "anthropic-version": "2023-06-01"}
    )
    response = connection.getresponse()
    response.read()
    return response.status


def _statuses(sim: Simulator, count: int) -> list[int]:
    connection = _connection(sim)
    try:
        return [_post(connection) for _ in range(count)]
    finally:
        connection.close()


def test_orders_are_kept_first_in_first_out(sim: Simulator) -> None:
    """Each request takes one order, by name or as a fault; then all is well."""
    sim.play("http_529", fault("http_500"))
    sim.play("http_429")
    assert _statuses(sim, 5) == [529, 500, 429, 200, 200]


def test_a_redirect_takes_one_order(sim: Simulator) -> None:
    """What follows a redirect does not take the order of the next request."""
    sim.play("ok_redirected", "http_529")
    connection = _connection(sim)
    assert _post(connection) == 307
    connection.request(
        "POST", "/redirected/0/v1/messages", _BODY, {"x-api-key": "none", "anthropic-version": "2023-06-01"}
    )
    assert connection.getresponse().read()
    assert _post(connection) == 529
    connection.close()


def test_the_same_seed_brings_the_same_mix(sim: Simulator) -> None:
    """A mix is random by its seed alone, and waits until no order is left."""
    seen = []
    for seed in (7, 7, 8):
        sim.mix({"ok": 1, "http_529": 1, "http_500": 1}, seed=seed)
        sim.play("http_404")
        seen.append(_statuses(sim, 41))
    assert seen[0] == seen[1] != seen[2]
    assert seen[0][0] == 404
    assert set(seen[0][1:]) == {200, 529, 500}


def test_each_fault_of_a_mix_counts_also_if_another_does_the_same(sim: Simulator) -> None:
    """Faults that differ only in what a client does have equal actions, and each keeps its weight."""
    assert fault("nothing").action == fault("stream_nothing").action
    sim.mix({"http_529": 1, "nothing": 1, "stream_nothing": 0})
    actions = [sim._schedule.next() for _ in range(40)]
    assert set(actions) == {fault("http_529").action, fault("nothing").action}


def test_orders_that_cannot_be_carried_out_are_refused(sim: Simulator) -> None:
    """Unknown names, faults with an address of their own, and empty mixes are errors of the caller."""
    with pytest.raises(KeyError):
        sim.play("no_such_fault")
    with pytest.raises(ValueError, match="endpoint"):
        sim.play("tls_expired")
    with pytest.raises(ValueError, match="weight above 0"):
        sim.mix({"ok": 0})
    assert _statuses(sim, 1) == [200]


def test_a_mix_that_is_refused_changes_nothing(sim: Simulator) -> None:
    """Requests get the mix that was set before one whose weights or whose seed cannot be used."""
    sim.mix({"http_529": 1})
    with pytest.raises(TypeError):
        sim.mix({"ok": 1}, seed="x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="weight"):
        sim.mix({"ok": -1})
    assert _statuses(sim, 3) == [529, 529, 529]


def test_a_connection_serves_many_requests(sim: Simulator) -> None:
    """Keep-alive: all requests of one client come on one connection, and are recorded as they came."""
    _statuses(sim, 3)
    assert [each.connection for each in sim.requests] == [1, 1, 1]
    first = sim.requests[0]
    assert (first.method, first.target, first.body) == ("POST", "/v1/messages?beta=true", _BODY)
    assert ("x-api-key", "none") in first.headers
    assert first.header("x-api-key") == "none"


def test_open_connections_are_counted(sim: Simulator) -> None:
    """A client that stays is counted until it goes."""
    connection = _connection(sim)
    _post(connection)
    assert sim.connections_open == 1
    connection.close()
    until(lambda: not sim.connections_open)


def test_an_outage_refuses_and_ends_on_the_same_port(sim: Simulator) -> None:
    """While it refuses nobody gets in, and who was in is out."""
    url, connection = sim.base_url, _connection(sim)
    _post(connection)
    for _ in range(2):
        with sim.refusing(), pytest.raises(ConnectionRefusedError):
            _connection(sim).connect()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        _post(connection)
    connection.close()
    assert sim.base_url == url
    assert _statuses(sim, 1) == [200]


def test_latency_is_taken(sim: Simulator) -> None:
    """Headers come as late as they are told to, and at once after a reset."""
    sim.latency(0.1)
    began = time.monotonic()
    _statuses(sim, 1)
    assert time.monotonic() - began >= 0.1
    sim.latency(2 * LONG)
    sim.reset()
    assert sim.requests == []
    assert _statuses(sim, 1) == [200]


def test_the_record_is_bounded() -> None:
    """It keeps the latest requests only, or none."""
    for record, kept in ((2, 2), (False, 0), (True, 5)):
        with Simulator(record=record) as sim:
            _statuses(sim, 5)
            assert len(sim.requests) == len(sim.request_ids) == kept


def test_the_same_seed_sends_the_same_ids() -> None:
    """Two runs with one seed have the same request ids, another seed has others."""
    ids = []
    for seed in (1, 1, 2):
        with Simulator(seed=seed) as sim:
            _statuses(sim, 3)
            ids.append(sim.request_ids)
    assert ids[0] == ids[1] != ids[2]
    assert len(set(ids[0])) == 3


def _descriptors() -> set[tuple[str, str]]:
    """The open files and sockets of this process, by number and by what they are."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files by /proc")
def test_stop_leaves_nothing_behind() -> None:
    """With clients connected and every kind of endpoint open, stopping closes all of it, twice over."""
    before, threads = _descriptors(), set(threading.enumerate())
    for _ in range(2):
        with Simulator() as sim:
            connection = _connection(sim)
            _post(connection)
            sim.play("read_timeout")
            connection.request("POST", "/v1/messages", _BODY)
            for name in ("ok_tls", "connect_timeout", "connection_refused", "tls_timeout", "proxy_407", "stream_reset"):
                sim.endpoint(name)
        connection.close()
        assert sim.connections_open == 0
    assert (_descriptors() - before, set(threading.enumerate()) - threads) == (set(), set())


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files by /proc")
@pytest.mark.parametrize("restarts", [False, True])
def test_a_stop_in_an_outage_is_an_error_that_leaves_nothing(restarts: bool) -> None:
    """The end of the block says what was wrong, also if the simulator runs anew by then, and no socket stays."""
    before, sim = _descriptors(), Simulator().start()

    def stop_in_outage() -> None:
        with sim.refusing():
            sim.stop()
            if restarts:
                sim.start()

    with pytest.raises(RuntimeError, match=r"stopped in a block of refusing\(\)"):
        stop_in_outage()
    if restarts:
        assert _statuses(sim, 1) == [200]
    sim.stop()
    collect_garbage()
    assert _descriptors() - before == set()


def test_it_starts_again_after_a_stop() -> None:
    """One object can run several times, and says so when it does not run."""
    sim = Simulator()
    for _ in range(2):
        sim.start()
        with pytest.raises(RuntimeError, match="runs already"):
            sim.start()
        assert _statuses(sim, 1) == [200]
        sim.stop()
        sim.stop()
    with pytest.raises(RuntimeError, match="does not run"):
        _ = sim.base_url


def test_a_taken_port_is_an_error_of_start() -> None:
    """The error of the system reaches the caller, and no thread stays."""
    threads = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Simulator(port=taken.getsockname()[1]).start()
    assert set(threading.enumerate()) <= threads


def test_threads_that_ask_at_once_get_one_address(sim: Simulator) -> None:
    """An endpoint that takes a while to open is opened once, however many threads wait for it."""
    at_once = threading.Barrier(8)

    def ask(_: int) -> str:
        at_once.wait(LONG)
        return sim.endpoint("connect_timeout").base_url

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


def test_two_hundred_clients_at_once(sim: Simulator) -> None:
    """Two hundred connections with five requests each are all served."""
    port = int(sim.base_url.rsplit(":", 1)[1])
    head = b"POST /v1/messages HTTP/1.1\r\nhost: s\r\nx-api-key: k\r\nanthropic-version: 2023-06-01\r\n"
    request = b"%scontent-length: %d\r\n\r\n%s" % (head, len(_BODY), _BODY)

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answered = 0
        for _ in range(5):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")
            )
            await reader.readexactly(length)
            answered += head.startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()
        return answered

    async def everyone() -> list[int]:
        return await asyncio.gather(*(one() for _ in range(200)))

    assert sum(asyncio.run(everyone())) == len(sim.requests) == 1000
    assert len({each.connection for each in sim.requests}) == 200


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_interrupted(stop: signal.Signals) -> None:
    """Its first line is its URL; the mix is in force; a signal ends it well."""
    command = [sys.executable, "-W", "error", "-m", "anthropic_otel.simulator", "--mix", "http_529=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with pytest.raises(OSError, match="529") as raised:
            urlopen(f"{url}/v1/models")
        raised.value.close()  # type: ignore[attr-defined]
        process.send_signal(stop)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")


def test_the_command_lists_the_catalogue() -> None:
    """`--list` has a line for every fault."""
    command = [sys.executable, "-m", "anthropic_otel.simulator", "--list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert any(line.startswith("connection_reset ") for line in listed)


def test_it_needs_neither_the_sdk_nor_an_http_client() -> None:
    """Importing it brings no HTTP client and no SDK."""
    code = (
        "import sys, anthropic_otel.simulator;"
        "print([n for n in ('anthropic', 'httpx', 'httpx2', 'aiohttp') if n in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


@pytest.mark.parametrize("item", [529, ["http_529"], None, b"http_529"])
def test_what_cannot_be_played_is_refused(sim: Simulator, item: Any) -> None:
    """At once, with an example of what can be."""
    with pytest.raises(TypeError, match="expected the name of a fault, such as 'http_529'"):
        sim.play(item)


def test_a_port_that_is_taken_is_one_line() -> None:
    """Of `python -m anthropic_otel.simulator`, with what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "anthropic_otel.simulator", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "cannot listen there: Address already in use; without --port it takes a free one\n"


class _Clock:
    """A clock that stands still, and fails as often as `failures` says, with the next of them."""

    def __init__(self) -> None:
        self.failures: list[Exception | float] = []

    def __call__(self) -> float:
        failure = self.failures.pop(0) if self.failures else 1_800_000_000.0
        if isinstance(failure, Exception):
            raise failure
        return failure


@pytest.mark.parametrize("action", ["ok", "http_529", "stream_error_unnamed", "ok_redirected", "body_cut"])
@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (LookupError("no time"), "LookupError: no time"),
        (float("nan"), "ValueError: the clock's time must be a number of at least 0, not nan"),
    ],
    ids=["raises", "shows no time"],
)
def test_a_clock_that_fails_later_fails_its_request(failure: Exception | float, said: str, action: str) -> None:
    """The response says what is wrong with the clock, and that a retry is of no use; the next request is served."""
    clock = _Clock()
    with Simulator(clock=clock) as sim:
        sim.play(action)
        clock.failures = [failure]
        connection = _connection(sim)
        connection.request("POST", "/v1/messages", _BODY, {"x-api-key": "none", "anthropic-version": "2023-06-01"})
        response = connection.getresponse()
        error = json.loads(response.read())["error"]
        assert (response.status, response.headers["x-should-retry"]) == (500, "false")
        assert error == {"type": "api_error", "message": f"The simulator's clock failed: {said}"}
        assert _post(connection) == 200
        assert [served.status for served in sim.served] == [500, 200]
        connection.close()


@pytest.mark.parametrize("fails", [False, True])
def test_a_start_that_is_interrupted_leaves_nothing(fails: bool) -> None:
    """Ctrl-C while the server starts ends the start at once, also if the server could not start; it can start again."""
    interrupted = threading.Event()

    def interrupt(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    def clock() -> float:
        if not interrupted.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            interrupted.wait()
            if fails:
                raise LookupError("no time")
        return 1_800_000_000.0

    before = signal.signal(signal.SIGINT, interrupt)
    threads = set(threading.enumerate())
    simulator = Simulator(clock=clock)
    try:
        with pytest.raises(KeyboardInterrupt):
            simulator.start()
    finally:
        signal.signal(signal.SIGINT, before)
    assert set(threading.enumerate()) <= threads
    with simulator:
        assert _statuses(simulator, 1) == [200]


@pytest.mark.interpreter
@pytest.mark.parametrize("module", [["anthropic_otel.simulator"], ["anthropic_otel.cli", "simulate"]])
@pytest.mark.parametrize(("model", "status"), [("our-model", 200), ("any", 200), ("other", 404)])
def test_the_commands_take_models_of_ones_own(module: list[str], model: str, status: int) -> None:
    """Named ones, or any, as an argument of `Simulator` does."""
    command = [sys.executable, "-m", *module, "--model", model, "--beta", "any"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        connection = http.client.HTTPConnection(process.stdout.readline().strip().removeprefix("http://"))
        headers = {"x-api-key": "none", "anthropic-version": "2023-06-01", "anthropic-beta": "ours"}
        connection.request("POST", "/v1/messages", _BODY.replace(b"claude-opus-5", b"our-model"), headers)
        response = connection.getresponse()
        response.read()
        connection.close()
        process.terminate()
    assert response.status == status
