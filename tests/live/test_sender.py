"""The way of events to a `run`: it never waits, never raises, and harms nothing, whatever becomes of either side."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from anthropic_otel._live import sender
from anthropic_otel._live.sender import MAX_KEPT, Sender
from anthropic_otel.cli.run.listener import Listener
from support.waiting import until

EVENT: dict[str, Any] = {"type": "call", "pid": 1, "time": 1.0}


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def sender_to(listener: Listener) -> Sender:
    _, port, token = listener.target.split(":")
    return Sender(int(port), token)


def received(listener: Listener, number: int) -> list[dict[str, Any]]:
    """The first events that come, so many of them."""
    events: list[dict[str, Any]] = []
    while len(events) < number:
        events += listener.receive(None)
    return events


def test_events_arrive_in_their_order_after_a_word_of_the_process(listener: Listener) -> None:
    """It tells its pid and versions first; the token does not go on to whoever reads events."""
    send = sender_to(listener)
    for number in range(100):
        send({**EVENT, "call": number})
    hello, *events = received(listener, 101)
    assert (hello["type"], hello["pid"], "token" in hello) == ("process", os.getpid(), False)
    assert [event["call"] for event in events] == [*range(100)]


def test_a_reader_that_does_not_read_costs_events_and_no_time(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is beyond the bound is lost and counted; once there is room again, the count is told."""
    monkeypatch.setattr(sender, "MAX_KEPT", 10)
    send = sender_to(listener)
    sent = 0
    while not send._connection._lost:
        send({**EVENT, "call": sent, "padding": "x" * 4000})
        sent += 1
    lost = 0
    while not lost:
        lost = sum(event.get("lost", 0) for event in listener.receive(0.05))
        send({**EVENT, "call": -1})
    assert lost >= 1


def test_a_run_that_has_ended_is_forgotten() -> None:
    """Nothing is raised, nothing is kept, and nobody is asked again."""
    gone = Listener()
    send = sender_to(gone)
    send(EVENT)
    received(gone, 2)
    gone.close()
    for _ in range(MAX_KEPT):
        send(EVENT)
    assert not send._connection.pending


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a socket has no inode by which it is known")
def test_a_run_that_has_ended_leaves_no_open_descriptor() -> None:
    """The connection has no peer any more by which it could be known."""
    gone = Listener()
    send = sender_to(gone)
    send(EVENT)
    received(gone, 2)
    assert send._connection._socket is not None
    descriptor = send._connection._socket.fileno()
    gone.close()
    while not send._connection._dead:
        send(EVENT)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_broken_connection_does_not_end_an_app_by_sigpipe(listener: Listener) -> None:
    """A process that has given SIGPIPE its default back would die of a write to nobody."""
    program = """
        import signal, sys, time
        from anthropic_otel._live.sender import Sender
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        send = Sender(int(sys.argv[1]), sys.argv[2])
        send({})
        sys.stdin.readline()
        for _ in range(100):
            send({})
            time.sleep(0.001)
        print("alive")
    """
    _, port, token = listener.target.split(":")
    command = [sys.executable, "-c", textwrap.dedent(program), port, token]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        received(listener, 2)
        listener.close()
        out, _ = process.communicate("go\n")
        assert (out, process.returncode) == ("alive\n", 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this machine")
def test_a_forked_child_has_a_connection_of_its_own(listener: Listener) -> None:
    """Two processes that wrote into one would mix their lines."""
    send = sender_to(listener)
    send(EVENT)
    child = os.fork()
    if not child:
        send({**EVENT, "call": 2})
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    send({**EVENT, "call": 3})
    events = received(listener, 5)
    assert {event["pid"] for event in events if event["type"] == "process"} == {os.getpid(), child}
    assert {event.get("call") for event in events} == {None, 2, 3}


def test_a_descriptor_that_is_another_ones_by_now_is_left_alone(listener: Listener) -> None:
    """An app that closes every descriptor, to be a daemon, gets the number anew for a connection of its own."""
    send = sender_to(listener)
    send(EVENT)
    received(listener, 2)
    assert send._connection._socket is not None
    descriptor = send._connection._socket.fileno()
    ours, theirs = socket.socketpair()
    os.dup2(ours.fileno(), descriptor)
    send(EVENT)
    ours.close()
    os.close(descriptor)
    assert theirs.recv(100) == b""
    theirs.close()


@pytest.fixture
def full() -> Iterator[int]:
    """The port of a listener that accepts no more connections: those that are begun now wait for it."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listening, ExitStack() as opened:
        for _ in range(8):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        # By Linux' `struct tcp_info`: as many wait to be accepted as may, and one more.
        tcp_info = struct.Struct("24xI")
        until(lambda: tcp_info.unpack(listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, tcp_info.size)) > (1,))
        yield listening.getsockname()[1]


@pytest.mark.skipif(sys.platform != "linux", reason="another system's backlog may be longer")
@pytest.mark.parametrize("finish", ["__call__", "_flush"])
def test_a_descriptor_that_became_another_ones_before_it_was_connected_is_left_alone(full: int, finish: str) -> None:
    """The number may be a listening socket's by then, as of a server that has become a daemon."""
    send = Sender(full, "token")
    send(EVENT)
    assert send._connection._socket is not None
    descriptor = send._connection._socket.fileno()
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        os.dup2(theirs.fileno(), descriptor)
        getattr(send, finish)(*[EVENT] * (finish == "__call__"))
        assert os.path.sameopenfile(theirs.fileno(), descriptor)
        os.close(descriptor)
    assert not send._connection.pending


@pytest.mark.parametrize(
    "hello",
    [
        b"GET / HTTP/1.1\r\n",
        b'{"token":"wrong"}\n',
        b'{"token":"\\ud800"}\n',
        b"[]\n",
        b"[" * 8_000 + b"\n",
        b"x" * 100_000 + b"\n",
        b'{"type":"call"}\n',
    ],
    ids=["http", "wrong", "surrogate", "list", "nested", "long", "none"],
)
def test_whoever_does_not_know_the_token_is_not_heard(listener: Listener, hello: bytes) -> None:
    """Another user of the machine may find the port."""
    with socket.create_connection(("127.0.0.1", int(listener.target.split(":")[1]))) as stranger:
        stranger.sendall(hello + json.dumps(EVENT).encode() + b"\n")
        events: list[Any] = []
        stranger.shutdown(socket.SHUT_WR)
        list(listener.receive(None))
        while listener.connections:
            events += listener.receive(0.05)
    assert (events, listener.bad_lines) == ([], 0)


def test_a_line_without_an_end_is_not_kept(listener: Listener) -> None:
    """What is too long, or no flat JSON object, is skipped and counted; what comes after it is heard."""
    _, port, token = listener.target.split(":")
    with socket.create_connection(("127.0.0.1", int(port))) as process:
        process.sendall(json.dumps({"type": "process", "token": token}).encode() + b"\n")
        process.sendall(b"x" * 100_000 + b"\nnot json\n" + b"[" * 8_000 + b'\n{"type": {}}\n')
        process.sendall(json.dumps(EVENT).encode() + b"\n")
        assert received(listener, 2)[-1] == EVENT
    assert listener.bad_lines == 4
