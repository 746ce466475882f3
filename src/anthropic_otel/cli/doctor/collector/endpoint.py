"""Finds where a signal is sent by OTLP, and what is wrong with that URL.

Rule: of a URL, only scheme, host, port and OTLP's own path are shown, because another path, a query or user information
may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from anthropic_otel._core.semconv import NetworkCause
from anthropic_otel.cli.doctor.collector.start import GRPC, Signal, variable
from anthropic_otel.cli.doctor.findings import Finding, bad, note

NAME: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_INSECURE: Final = "OTEL_EXPORTER_OTLP_INSECURE"
_DEFAULTS: Final = {True: "http://localhost:4317", False: "http://localhost:4318"}
_PORTS: Final = {"http": 80, "https": 443}
_GRPC_PORT: Final = 443
"""The port that gRPC takes where none is given, also for `http://`."""
_NOT_SENT: Final = NetworkCause.REQUEST_NOT_SENT.value
_OWN_PATH: Final = re.compile(r"/v1/(?:traces|metrics|logs)/?$")
_NAME_OF_SIGNAL: Final = {each: f"OTEL_EXPORTER_OTLP_{each.upper()}_ENDPOINT" for each in ("traces", "metrics")}
_QUOTES: Final = "\"'"
_TARGET: Final = re.compile(r"(?P<scheme>dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):(?P<rest>.*)", re.IGNORECASE)
"""A target in gRPC's own form, such as `dns:///collector:4317` or `unix:/run/otel.sock`."""
_PORT_NEEDED: Final = ("ipv4", "ipv6")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a signal is sent by OTLP.

    - `protocol`: `grpc` or `http/protobuf`.
    - `url`: the value that is set, as it is, or the default; it may contain secrets.
    - `source`: the name of the variable that sets it, or that names the configuration file that does; or `default`.
    - `exact`: whether the HTTP exporter posts to the URL as it is; if not, it appends OTLP's path to it.
    """

    signal: Signal
    protocol: str
    url: str
    source: str
    exact: bool = False

    @property
    def is_default(self) -> bool:
        """Whether neither a variable nor a file sets the endpoint."""
        return self.source == "default"

    @property
    def over_grpc(self) -> bool:
        """Whether the signal is sent by gRPC."""
        return self.protocol == GRPC

    @property
    def target(self) -> tuple[str, str] | None:
        """The scheme, in lower case, and the rest of a target in gRPC's own form; `None` for a URL or an address.

        Also `None` with a host after `scheme://`, as the exporter then connects to that host. Always `None` for HTTP.
        """
        match = _TARGET.fullmatch(self.url) if self.over_grpc else None
        if match is None or re.match("//[^/]", match["rest"]):
            return None
        return match["scheme"].lower(), match["rest"]

    @property
    def is_local(self) -> bool:
        """Whether `target` has no host, because it is a socket of this machine; `False` if `target` is `None`."""
        return self.target is not None and self.target[0] in ("unix", "unix-abstract", "vsock")

    @property
    def parts(self) -> SplitResult | None:
        """The parts of the URL; `None` if it cannot be parsed, or has no host or an invalid port.

        For gRPC it may lack a scheme, which is empty then. Of a target in gRPC's own form these are the host and port,
        of several the first; `None` if it is local.
        """
        try:
            parts = urlsplit(self._parsed())
            return parts if parts.hostname and (parts.port is None or parts.port) else None
        except ValueError:
            return None

    def _parsed(self) -> str:
        if self.is_local:
            return ""
        if self.target is not None:
            return "//" + self.target[1].lstrip("/").partition(",")[0]
        return self.url if "://" in self.url or not self.over_grpc else f"//{self.url}"

    @property
    def address(self) -> str:
        """The URL's `host:port`; `a local socket` for one, and else `the endpoint` if `parts` is `None`.

        Without a port, it is 443 for gRPC, and else that of http or https, or 4317 for any other scheme.
        """
        parts = self.parts
        if parts is None:
            return "a local socket" if self.is_local else "the endpoint"
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        default = _GRPC_PORT if self.over_grpc else _PORTS.get(parts.scheme, 4317)
        return f"{host}:{parts.port or default}"

    @property
    def shown(self) -> str:
        """The URL to which the exporter sends, with `...` for a path that may be secret; `source` if `parts` is `None`.

        It always has the port, and the scheme if `parts` has one. User information and query are left out, and for gRPC
        the path.
        """
        parts = self.parts
        if parts is None:
            return self.source
        own = f"/v1/{self.signal.value}"
        path = "" if self.over_grpc else own
        if not self.over_grpc and self.exact:
            path = parts.path if parts.path in ("", "/", own) else "/..."
        elif parts.path.strip("/") and not self.over_grpc:
            path = f"/...{own}"
        return f"{parts.scheme}://{self.address}{path}" if parts.scheme else self.address


def of_signal(environment: Mapping[str, str], signal: Signal, protocol: str) -> Endpoint:
    """Returns the endpoint of a signal: by the signal's own variable, else by the variable for all signals.

    A variable that is empty counts as unset. If both are unset, the endpoint is on localhost: port 4317 for gRPC, 4318
    for HTTP. It is `exact` if the signal's own variable sets it.
    """
    found = variable(environment, signal, "ENDPOINT")
    name, url = found if found is not None else ("default", _DEFAULTS[protocol == GRPC])
    return Endpoint(signal, protocol, url, name, exact=name.endswith(f"_{signal.value.upper()}_ENDPOINT"))


def wrong(endpoint: Endpoint) -> Iterator[Finding]:
    """Yields the fault that keeps anything from being sent to the endpoint; nothing if there is none."""
    url, name = endpoint.url, endpoint.source
    subject = endpoint.signal.subject
    example = f"{name}={_DEFAULTS[endpoint.over_grpc]}"
    if url != url.strip() or any(character.isspace() for character in url):
        yield bad(subject, f"{name} has a blank or newline in it", "take it out", _NOT_SENT)
    elif url[0] in _QUOTES or url[-1] in _QUOTES:
        yield bad(subject, f"{name} has quotes around it", "take them off: they are part of the value", _NOT_SENT)
    elif "://" not in url and not endpoint.over_grpc:
        yield bad(subject, f"{name} has no http:// in front: nothing can be sent there", example, _NOT_SENT)
    elif endpoint.parts is None and not endpoint.is_local:
        yield bad(subject, f"{name} is not a URL", example, _NOT_SENT)
    elif endpoint.parts is None:
        return
    elif endpoint.target is not None and endpoint.target[0] in _PORT_NEEDED and endpoint.parts.port is None:
        yield bad(
            subject, f"{name} has no port, which gRPC needs in this form", f"{name}=ipv4:127.0.0.1:4317", _NOT_SENT
        )
    elif endpoint.parts.scheme and endpoint.parts.scheme not in _PORTS:
        yield bad(subject, f"{name} is neither http:// nor https://", example, _NOT_SENT)


def doubtful(endpoint: Endpoint) -> Iterator[Finding]:
    """Yields notes about an endpoint that can be used, but probably not as intended, or that contains a secret.

    Yields nothing about a URL that cannot be parsed, and no more than one note about a target in gRPC's own form.
    """
    parts = endpoint.parts
    if parts is None and not endpoint.is_local:
        return
    if endpoint.target is not None:
        text = f"{endpoint.source} is a target of gRPC's own form, for which it uses TLS, unless {_INSECURE}=true"
        yield note("OTLP", text, f"{_INSECURE}=true, if it speaks plain text")
    if endpoint.target is not None or parts is None:
        return
    if not endpoint.exact and not endpoint.over_grpc and _OWN_PATH.search(parts.path):
        text = f"{endpoint.source} ends in OTLP's path, to which the exporter adds /v1/{endpoint.signal.value}"
        yield note("OTLP", text, f"take the path off, or name it {_NAME_OF_SIGNAL[endpoint.signal.value]}")
    if not parts.scheme and endpoint.over_grpc:
        text = f"{endpoint.source} has no http:// or https:// in front: gRPC uses TLS, unless {_INSECURE}=true"
        yield note("OTLP", text, "put the one that is meant in front")
    if parts.query or parts.username is not None:
        yield note(
            "OTLP", f"{endpoint.source} has a secret in it (not shown)", "OTEL_EXPORTER_OTLP_HEADERS is for those"
        )
