"""Patches the methods that copy an SDK client without sharing its HTTP client, so that a copy is recorded as it is.

Else a copy by `copy` or `with_options` has the HTTP client of the original, and with it the mark that says how it is
recorded. Before 2.6 of the SDK, the clients of Bedrock made a new HTTP client for each copy.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any, Final

from anthropic_otel._adapters.patches import Function, Patch, patchable
from anthropic_otel._adapters.wiring import Wiring

_SHARE_HTTP_CLIENTS: Final = (2, 6)
_BEDROCK: Final = "anthropic.lib.bedrock"
_COPIES: Final = ("copy", "with_options")


def patch(clients: Iterable[type[Any]], sdk_version: tuple[int, ...], wiring: Wiring) -> Iterator[Patch]:
    """Patches the methods that copy a client, on those of `clients` whose copies get a new HTTP client.

    Yields each patch when it is made. `clients` are classes of SDK clients. `sdk_version` is as of `version_numbers`;
    empty if it is not known: nothing is patched then. `wiring.copied` is called for each copy that is made without an
    argument `http_client`.
    """
    if not sdk_version or sdk_version >= _SHARE_HTTP_CLIENTS:
        return
    for client in clients:
        for name in _COPIES if client.__module__.startswith(_BEDROCK) else ():
            if patchable(client, name):
                yield Patch(client, name, functools.partial(_wrap, wiring))


def _wrap(wiring: Wiring, original: Function, patch: Patch) -> Function:
    @functools.wraps(original)
    def copy(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = original(self, *args, **kwargs)
        if patch.active and kwargs.get("http_client") is None:
            wiring.copied(getattr(self, "_client", None), getattr(made, "_client", None))
        return made

    return copy
