"""How the stack asks whether a program is ready, and what the dashboards' durations are in seconds."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from anthropic_otel.cli.doctor.collector.endpoint import of_signal
from anthropic_otel.cli.doctor.collector.start import Signal, Start, protocol
from anthropic_otel.cli.stack import panels, service, services
from anthropic_otel.cli.stack.layout import PORTS, Layout

pytestmark = pytest.mark.without_sdk


@contextmanager
def answering(raw: bytes) -> Iterator[str]:
    """A server on loopback that answers one connection with these bytes and closes it; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(raw)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join()


@pytest.mark.parametrize(
    ("raw", "ready"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", False),
        (b"220 mail.example ESMTP\r\n", False),
        (b"", False),
    ],
    ids=["2xx", "5xx", "no HTTP", "nothing"],
)
def test_a_program_is_ready_only_if_it_answers_with_a_2xx(raw: bytes, ready: bool) -> None:
    """What answers in another protocol is not ready, and does not end the start with an exception."""
    with answering(raw) as url:
        assert service.answers(url) is ready


@pytest.mark.parametrize(
    ("duration", "seconds"), [("60s", 60), ("1m30s", 90), ("2h", 7200), ("500ms", 0), ("1s500ms", 1), ("", 0)]
)
def test_a_duration_is_counted_in_whole_seconds(duration: str, seconds: int) -> None:
    """Milliseconds are not taken for minutes."""
    assert panels.seconds(duration) == seconds


@pytest.mark.parametrize("signal", [None, "TRACES", "METRICS"])
def test_the_story_sends_to_the_stack_whatever_the_shell_has_set(signal: str | None, tmp_path: Path) -> None:
    """Its spans and metrics are not for the collector of the user's own apps, and not lost at a bad address."""
    started = services.demo(Layout(tmp_path, dict(PORTS)))
    own = f"OTEL_EXPORTER_OTLP_{signal}" if signal is not None else "OTEL_EXPORTER_OTLP"
    shell = {f"{own}_ENDPOINT": "http://[::1", f"{own}_PROTOCOL": "grpc"}
    for each in Signal:
        used = protocol(shell | started.environment, each, Start.CODE)
        found = of_signal(shell | started.environment, each, used)
        assert (found.protocol, found.shown) == ("http/protobuf", f"http://127.0.0.1:4318/v1/{each.value}")
