"""The HTTP library that the SDK is built on, as `httpx`. To a type checker it is the present one.

Rule: a test imports it from here, so that one text is run with either library and its types are checked.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from support.versions import SDK_LIBRARY

if TYPE_CHECKING:
    import httpx2 as httpx
else:
    httpx = importlib.import_module(SDK_LIBRARY)

__all__ = ["httpx"]
