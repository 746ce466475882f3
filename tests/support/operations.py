"""The list of the API's operations, as the library has it."""

from __future__ import annotations

from importlib import resources

LINES = [
    tuple(line.split(" "))
    for line in resources.files("anthropic_otel._core").joinpath("operations.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
"""Method, path with placeholders and name of each operation."""

NAMES = frozenset(name for _, _, name in LINES)
