"""A request to the simulator, as a value.

Rule: what a client has sent is kept as it was sent, and nothing of it is decoded or checked here.
"""

from __future__ import annotations

from dataclasses import dataclass


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

    @property
    def betas(self) -> list[str]:
        """The beta features that it asks for, in all its headers `anthropic-beta`."""
        told = ",".join(value for name, value in self.headers if name.lower() == "anthropic-beta")
        return [name.strip() for name in told.split(",") if name.strip()]
