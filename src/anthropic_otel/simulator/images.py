"""Checks images in base64: that they are some, of the type that they are said to be, and not too large.

The messages are the API's, as people have met them.

Rule: nothing here raises, and of an image only its first bytes are looked at beside its length.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator
from typing import Any, Final

from anthropic_otel.simulator.wire import Json

TOO_WIDE: Final = "At least one of the image dimensions exceed"
"""What the message about an image that is too wide or high has in it."""
_TYPES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
_MOST_CHARACTERS: Final = 10 * 1024 * 1024
"""The longest image in base64."""
_MOST_PIXELS: Final = 8_000
_MOST_OF_MANY: Final = 2_000
_MANY: Final = 20
"""From how many images on in a request each may have `_MOST_OF_MANY` pixels on a side only."""


def wrong_images(body: Json) -> Iterator[str]:
    """Yields what is wrong with the images of a Messages body, those in results of tools too."""
    found = [each for at, message in enumerate(body["messages"]) for each in _in(message, f"messages.{at}.content")]
    many = len(found) > _MANY
    for source, place in found:
        yield from _wrong(source, f"{place}.image.source.base64", _MOST_OF_MANY if many else _MOST_PIXELS, many)


def too_wide(body: Json) -> tuple[tuple[str, Any], ...]:
    """Returns what the API's error says of all images that are too wide or high: the limit, and their places.

    Empty if there is none. The fields are those of the SDK's `types/image_dimensions_too_large_error_details.py`.
    """
    found = [each for at, message in enumerate(body["messages"]) for each in _in(message, f"messages.{at}.content")]
    most = _MOST_OF_MANY if len(found) > _MANY else _MOST_PIXELS
    places = [
        place.replace(".tool_result", "")
        for source, place in found
        if max(_size_of(_bytes_of(source.get("data")) or b"")) > most
    ]
    return (("max_side_length_pixels", most), ("paths", places)) if places else ()


def _in(holder: Json, place: str) -> Iterator[tuple[Json, str]]:
    """Yields the sources of the images in the content of a message or a block, each with its place."""
    content = holder.get("content")
    for number, block in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(block, dict):
            continue
        source = block.get("source")
        if block.get("type") == "image" and isinstance(source, dict) and source.get("type") == "base64":
            yield source, f"{place}.{number}"
        elif block.get("type") == "tool_result":
            yield from _in(block, f"{place}.{number}.tool_result.content")


def _wrong(source: Json, place: str, most: int, many: bool) -> Iterator[str]:
    kind, data = source.get("media_type"), source.get("data")
    if kind not in _TYPES:
        yield f"{place}.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
    if not isinstance(data, str):
        yield f"{place}.data: Field required"
    elif not data:
        yield f"{place}: image cannot be empty"
    elif len(data) > _MOST_CHARACTERS:
        yield f"{place}: image exceeds 10 MB maximum: {len(data)} bytes > {_MOST_CHARACTERS} bytes"
    else:
        image = _bytes_of(data)
        if image is None:
            yield f"{place}.data: invalid base64 data"
            return
        real = _type_of(image)
        if real is None:
            yield "Could not process image"
        elif real != kind:
            words = f"The image was specified using the {kind} media type, but the image appears to be a {real} image"
            yield f"{place}: {words}"
        if max(_size_of(image)) > most:
            words = "max allowed size for many-image requests" if many else "max allowed size"
            yield f"{place}.data: {TOO_WIDE} {words}: {most} pixels"


def _bytes_of(data: object) -> bytes | None:
    """Returns the bytes of an image, or `None` if it is not base64."""
    try:
        return base64.b64decode(data, validate=True) if isinstance(data, str) else None
    except (binascii.Error, ValueError):
        return None


def _type_of(image: bytes) -> str | None:
    """Returns the media type by an image's first bytes, or `None` if these are of none of the API's types."""
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "image/webp"
    starts = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}
    return next((kind for start, kind in starts.items() if image.startswith(start)), None)


def _size_of(image: bytes) -> tuple[int, int]:
    """Returns the width and height of a PNG or a GIF; `(0, 0)` for any other or if it is cut."""
    if image.startswith(b"\x89PNG") and len(image) >= 24:
        return struct.unpack_from("!II", image, 16)
    if image.startswith(b"GIF8") and len(image) >= 10:
        return struct.unpack_from("<HH", image, 6)
    return 0, 0
