"""Removes environment variables that must not affect a command's calls to the simulator.

Rule: such a call never carries a key, never goes to a proxy or to the real API, logs nothing to the screen, and never
fails because of settings for the real API.
"""

from __future__ import annotations

import logging
import os
from typing import Final

from anthropic_otel.cli.doctor.api import proxies

_UNPROXIED: Final = "127.0.0.1,localhost,.invalid"
_NOT_OURS: Final = ("OTEL_SDK_DISABLED", "OTEL_PROPAGATORS", "SSL_CERT_FILE", "SSL_CERT_DIR")


def isolate() -> None:
    """Changes this process's environment so that settings for the API, proxies and OpenTelemetry do not affect it.

    Deletes variables, excepts loopback from proxies, shortens timeouts of name look-ups and OTLP, and silences
    OpenTelemetry's logger.
    """
    for name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
        del os.environ[name]
    for name in (*_NOT_OURS, *proxies.unusable(os.environ)):
        os.environ.pop(name, None)
    for name in proxies.EXCEPTIONS:
        usable = proxies.readable_exceptions(os.environ.get(name, ""))
        os.environ[name] = ",".join([*usable, _UNPROXIED])
    os.environ["RES_OPTIONS"] = "timeout:1 attempts:1"  # a look-up by an unreachable resolver fails soon
    os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", "3")
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # the command itself reports what was not delivered
