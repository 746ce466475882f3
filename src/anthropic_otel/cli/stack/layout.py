"""Defines the directories, ports and addresses of a stack, and finds out which ports are free."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from anthropic_otel.bundle import files

HOST: Final = "127.0.0.1"

PORTS: Final[Mapping[str, int]] = {
    "otlp_grpc": 4317,
    "otlp_http": 4318,
    "collector_self": 8888,
    "collector_scrape": 8889,
    "collector_health": 13133,
    "prometheus": 9090,
    "alertmanager": 9093,
    "jaeger": 16686,
    "jaeger_grpc": 16685,
    "jaeger_otlp": 14318,
    "grafana": 3000,
}
"""The ports that the documents name, by what listens on them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories and ports of a stack.

    - `work`: the directory for data and logs.
    - `ports`: TCP ports, by the names in `PORTS`.
    - `files`: the directory that `anthropic-otel bundle` wrote; by default the files of the package.
    """

    work: Path
    ports: Mapping[str, int]
    files: Path = field(default_factory=files.root)

    @property
    def configs(self) -> Path:
        """The folder with the configs of the stack's programs."""
        return self.files / "collector-config"

    @property
    def dashboards(self) -> Path:
        """The folder with the dashboards."""
        return self.files / "dashboards"

    @property
    def rules(self) -> Path:
        """The file with the alert rules."""
        return self.dashboards / "alerts" / "rules.yaml"

    def url(self, port: str) -> str:
        """Returns the HTTP URL, on 127.0.0.1 and without a path, of the port with that name in `PORTS`."""
        return f"http://{HOST}:{self.ports[port]}"


def free_port() -> int:
    """Returns a TCP port of 127.0.0.1 that is free now. It is not reserved."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def free_ports(names: Iterable[str] = PORTS) -> dict[str, int]:
    """Returns a free TCP port for each name, by name; no two are the same."""
    wanted, found = tuple(names), set[int]()
    while len(found) < len(wanted):
        found.add(free_port())
    return dict(zip(wanted, found, strict=True))


def taken(ports: Mapping[str, int]) -> list[str]:
    """Returns those of the ports on which something listens on 127.0.0.1, as texts such as `9090 (prometheus)`."""

    def listens(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, port)) == 0

    return [f"{port} ({name})" for name, port in ports.items() if listens(port)]
