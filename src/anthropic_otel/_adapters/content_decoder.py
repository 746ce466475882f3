"""Passes the chunks that a response's content decoder yields on to the attempt's reading, and ends the attempt.

Rule: nothing is decoded twice, and the bytes that the decoder yields, and what it raises, reach the HTTP library
unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.ending import End
from anthropic_otel._core.reading import Reading


class ObservedDecoder:
    """Wraps a response's content decoder: passes each decoded chunk to `reading`, and ends the attempt.

    The attempt ends by `Attempt.fail` if decoding raises, and as closed at an `error` event in a chunk. Else it ends as
    read with `flush`: when the last chunk that `flush` returns has been passed to `reading`. `decode` sets
    `reading.decoding` to `True`.

    The decoders of httpx return bytes, those of httpx2 an iterator of bytes. This one returns the same bytes object as
    the wrapped one, or an iterator of the same chunks. Of an iterator, each chunk is passed to `reading` when the HTTP
    library takes it.
    """

    __slots__ = ("_attempt", "_decoder", "_reading")

    def __init__(self, decoder: Any, attempt: Attempt, reading: Reading) -> None:
        self._decoder: Final = decoder
        self._attempt: Final = attempt
        self._reading: Final = reading

    def decode(self, data: bytes) -> Any:
        self._reading.decoding = True
        return self._shown(lambda: self._decoder.decode(data))

    def flush(self) -> Any:
        return self._shown(self._decoder.flush, last=True)

    def _shown(self, decode: Callable[[], Any], *, last: bool = False) -> Any:
        try:
            decoded = decode()
            if decoded is not None and not isinstance(decoded, (bytes, bytearray, memoryview)):
                return self._shown_one_by_one(decoded, last)
            # A decoder that the app has given the library may return other bytes, or none.
            self._show(decoded if isinstance(decoded, bytes) else bytes(decoded or b""))
        except BaseException as error:
            self._attempt.fail(error)
            raise
        if last:
            self._attempt.end(End.READ)
        return decoded

    def _shown_one_by_one(self, decoded: Iterable[bytes], last: bool) -> Iterator[bytes]:
        try:
            for chunk in decoded:
                self._show(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            self._attempt.fail(error)
            raise
        if last:
            self._attempt.end(End.READ)

    def _show(self, chunk: bytes) -> None:
        if self._reading.on_decoded(chunk):
            self._attempt.end(End.CLOSED)
