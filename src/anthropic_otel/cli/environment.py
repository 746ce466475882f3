"""Prepares the process's environment for a command's calls to the simulator.

Rule: such a call never carries a real key, never goes to a proxy or to the real API, and never fails because of
settings that are meant for the real API. OpenTelemetry logs nothing to the screen meanwhile.
"""

from __future__ import annotations

import logging
import os
from typing import Final

from anthropic_otel.cli.doctor.api import proxies

_UNPROXIED: Final = "127.0.0.1,localhost,.invalid"
_NOT_OURS: Final = ("OTEL_SDK_DISABLED", "OTEL_PROPAGATORS", "SSL_CERT_FILE", "SSL_CERT_DIR")


def isolate() -> None:
    """Changes this process's environment for calls to the simulator, and does not restore it.

    Deletes every `ANTHROPIC_*` variable, the variables in `_NOT_OURS`, and proxy variables that the SDK cannot read.
    Adds loopback and `.invalid` to `NO_PROXY` and `no_proxy`, and takes out their unreadable entries. Limits a name
    look-up to one second (`RES_OPTIONS`) and, unless it is set, the OTLP timeout to three. Sets the level of
    OpenTelemetry's logger to CRITICAL.
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
