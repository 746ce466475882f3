"""A server that speaks HTTP/2 over TLS, as the API's edge does: what it does with each request is ordered beforehand.

Rule: it is for what only HTTP/2 has. For everything else there is the simulator.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from types import TracebackType
from typing import Any, Final

import trustme

REFUSED: Final = "refused"
"""The stream is reset before its headers."""
BROKEN: Final = "broken"
"""The stream is reset after a part of its body."""
GONE: Final = "gone"
"""The whole connection is ended by a GOAWAY before the headers."""
LEAVING: Final = "leaving"
"""A GOAWAY that lets the request be answered, and the answer right behind it."""
TOO_SHORT: Final = "too short"
"""The body is shorter than its `content-length`."""
TOO_LONG: Final = "too long"
"""The body is longer than its `content-length`."""
NO_STATUS: Final = "no status"
"""The status of the response is no number."""
LONG_STATUS: Final = "long status"
"""The status of the response is a number of more than 64 bits."""
OK: Final = "ok"
_LENGTHS: Final = {TOO_SHORT: "1000", TOO_LONG: "10"}
_STATUSES: Final = {NO_STATUS: "abc", LONG_STATUS: "5" * 30}

_EVENTS: Final = (
    b'event: message_start\ndata: {"type": "message_start"}\n\n',
    b'event: message_stop\ndata: {"type": "message_stop"}\n\n',
)


class Http2Server:
    """A context manager. `plan` is what the next requests meet, in their order; after it all is well."""

    def __init__(self, *plan: str) -> None:
        self.plan: list[str] = list(plan)
        self.headers: list[dict[str, str]] = []
        self._ca: Final = trustme.CA()
        self._listener: Final = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.url: Final = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def transport(self, stack: Any) -> Any:
        """A transport of that stack that trusts the server, and offers it HTTP/2."""
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        name = "AsyncHTTPTransport" if stack.asynchronous else "HTTPTransport"
        return getattr(stack.module, name)(verify=context, http2=True)

    def __enter__(self) -> Http2Server:
        self._run(self._accept)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _run(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["h2"])
        self._ca.issue_cert("127.0.0.1").configure_cert(context)
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(plain)
            self._run(self._serve, plain, context)

    def _serve(self, plain: socket.socket, context: ssl.SSLContext) -> None:
        try:
            with context.wrap_socket(plain, server_side=True) as sock:
                self._sockets.append(sock)
                self._converse(sock)
        except OSError:
            pass
        finally:
            plain.close()

    def _converse(self, sock: ssl.SSLSocket) -> None:
        # Not at the top of the module: where it is not installed there is no HTTP/2 to test.
        import h2.config
        import h2.connection
        import h2.events

        http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        http.initiate_connection()
        sock.sendall(http.data_to_send())
        while data := sock.recv(65536):
            for event in http.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.headers.append({str(name): str(value) for name, value in event.headers or ()})
                elif isinstance(event, h2.events.StreamEnded) and event.stream_id is not None:
                    self._answer(http, event.stream_id, sock)
            sock.sendall(http.data_to_send())
            if http.state_machine.state is h2.connection.ConnectionState.CLOSED:
                # The client closes: a close here, with something of its unread, would reset the connection.
                while sock.recv(65536):
                    pass
                return

    def _answer(self, http: Any, stream: int, sock: ssl.SSLSocket) -> None:
        import hyperframe.frame

        order = self.plan.pop(0) if self.plan else OK
        if order == REFUSED:
            http.reset_stream(stream, error_code=7)
            return
        if order == GONE:
            http.close_connection(error_code=0, last_stream_id=0)
            return
        number = len(self.headers)
        http.send_headers(
            stream,
            [
                (":status", _STATUSES.get(order, "200")),
                ("content-type", "text/event-stream"),
                ("request-id", f"req_{number}"),
                *((("content-length", _LENGTHS[order]),) if order in _LENGTHS else ()),
            ],
        )
        http.send_data(stream, _EVENTS[0])
        if order == BROKEN:
            http.reset_stream(stream, error_code=2)
            return
        http.send_data(stream, _EVENTS[1], end_stream=True)
        if order == LEAVING:
            goaway = hyperframe.frame.GoAwayFrame(0, last_stream_id=stream)
            sock.sendall(goaway.serialize() + http.data_to_send())
