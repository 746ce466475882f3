"""The environment variables that a command of ours must not let through to its own calls.

Rule: a call to the simulator never carries a key, and never goes to a proxy, the real API, or a log on the screen.
"""

from __future__ import annotations

import logging
import os
from typing import Final

_UNPROXIED: Final = "127.0.0.1,localhost,.invalid"


def isolate() -> None:
    """Takes what the shell has set for the real API, for proxies and for OpenTelemetry out of this process's way."""
    for name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
        del os.environ[name]
    os.environ.pop("OTEL_SDK_DISABLED", None)
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), _UNPROXIED)))
    os.environ["RES_OPTIONS"] = "timeout:1 attempts:1"  # a resolver that cannot be reached gives up soon
    os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", "3")
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what was not delivered is told by the command
