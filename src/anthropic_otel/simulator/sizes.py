"""How large the body of a request may be, by its path: what the page on errors of the API's documentation says.

Rule: the API's edge decides this before the API sees the request, so nothing but the target is looked at.
"""

from __future__ import annotations

from typing import Final

_MEGABYTE: Final = 1024 * 1024
_MOST: Final = 32 * _MEGABYTE
_BY_END: Final = (("/v1/messages/batches", 256 * _MEGABYTE), ("/v1/files", 501 * _MEGABYTE))
"""What an upload has around its file of 500 MB is allowed a megabyte."""


def max_body(target: str) -> int:
    """Returns the largest body of a request to that target that the API accepts, in bytes."""
    path = target.partition("?")[0]
    return next((most for end, most in _BY_END if path.endswith(end)), _MOST)
