"""Bytes, in the words of the files."""

from __future__ import annotations

import re

_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "m": 2**20, "g": 2**30, "M": 10**6, "G": 10**9}


def size(text: str) -> int:
    """Bytes of a quantity as Kubernetes, Go and Compose write it."""
    number, unit = re.fullmatch(r"(\d+)(\D+?)B?", text).groups()  # type: ignore[union-attr]
    return int(number) * _UNITS[unit]
