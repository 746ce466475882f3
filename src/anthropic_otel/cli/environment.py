"""The environment variables that a command of ours must not let through to its own calls.

Rule: a call to the simulator never carries a key, never goes to a proxy, the real API, or a log on the screen, and
never fails by what is set for the real API.
"""

from __future__ import annotations

import logging
import os
from typing import Final

from anthropic_otel.cli.doctor.api import proxies

_UNPROXIED: Final = "127.0.0.1,localhost,.invalid"
_NOT_OURS: Final = ("OTEL_SDK_DISABLED", "OTEL_PROPAGATORS", "SSL_CERT_FILE", "SSL_CERT_DIR")


def isolate() -> None:
    """Takes what the shell has set for the real API, for proxies and for OpenTelemetry out of this process's way."""
    for name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
        del os.environ[name]
    for name in (*_NOT_OURS, *proxies.unusable(os.environ)):
        os.environ.pop(name, None)
    for name in proxies.EXCEPTIONS:
        usable = proxies.readable_exceptions(os.environ.get(name, ""))
        os.environ[name] = ",".join([*usable, _UNPROXIED])
    os.environ["RES_OPTIONS"] = "timeout:1 attempts:1"  # a resolver that cannot be reached gives up soon
    os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", "3")
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what was not delivered is told by the command
