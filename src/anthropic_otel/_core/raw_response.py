"""Reads what httpcore passes on with its trace events: a response's headers, and the network stream of a connection.

Rule: a value of another form than expected counts as not known. Whatever a transport passes on, nothing is raised here,
but by `version_of`, which takes nothing but bytes.
"""

from __future__ import annotations

from typing import Any, Final

from anthropic_otel._core.guard import guarded, is_of_the_app

ParsedResponse = tuple[str | None, int, list[tuple[bytes, bytes]]]
"""HTTP version, status and headers of a response, as the transport received them."""


def peer_of(stream: Any) -> tuple[str, int] | None:
    """Returns the address and port that an httpcore network stream is connected to.

    `None` if the stream is `None`, closed, a Unix socket, or does not know. Never raises an error of its own.
    """
    if stream is None:
        return None
    try:
        address = stream.get_extra_info("server_addr")
        if isinstance(address, (str, bytes)):  # the path or the name of a Unix socket
            return None
        return (str(address[0]), int(address[1]))
    except Exception as error:
        if is_of_the_app(error):
            raise
        return None


def version_of(version: bytes) -> str | None:
    """Returns the HTTP version as `network.protocol.version` has it: `1.1` for `b"HTTP/1.1"`, `None` for an empty one.

    Any other text is returned without a leading `HTTP/`. Raises an error for what is no bytes.
    """
    # Shared strings: a new one would take 52 bytes in each open stream.
    return _VERSIONS.get(version) or version.decode("ascii", "replace").removeprefix("HTTP/") or None


_VERSIONS: Final = {b"HTTP/1.0": "1.0", b"HTTP/1.1": "1.1", b"HTTP/2": "2"}


@guarded(None)
def parsed_response(raw_response: Any) -> ParsedResponse | None:
    """Parses the value that httpcore's HTTP/1.1 or HTTP/2 connection returns for a response's headers.

    A pair is taken for that of HTTP/2: status and headers. `None` if `raw_response` has neither form; if it is a tuple
    then, that is logged as a failure.
    """
    if not isinstance(raw_response, tuple):
        return None
    if len(raw_response) == 2:
        return ("2", int(raw_response[0]), list(raw_response[1]))
    return (version_of(raw_response[0]), int(raw_response[1]), list(raw_response[3]))
