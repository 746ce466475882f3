"""Marks that more than one suite needs."""

from __future__ import annotations

from typing import Final

import pytest

BREAKS_CONNECTIONS: Final = (
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
)
"""For a module whose connections are broken on purpose: the libraries below leave the sockets to the collector."""
