"""What the tests of `doctor` share: an environment of their own, a simulator, and findings of the way to the API."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import pytest

from anthropic_otel.cli.doctor.api import connection
from anthropic_otel.cli.doctor.deadline import Deadline
from anthropic_otel.cli.doctor.findings import Finding, State
from anthropic_otel.simulator import Endpoint, Simulator
from support.waiting import patience

LONG: Final = 300.0
_SOON: Final = 0.4
_OWN: Final = re.compile(
    r"(ANTHROPIC|OTEL)_\w+|(https?|all|no|socks)_proxy|SSL_CERT_(FILE|DIR)|\w+_CA_BUNDLE|NODE_EXTRA_CA_CERTS", re.I
)


class Examine(Protocol):
    """Looks at the way to the API with these variables."""

    def __call__(
        self, variables: Mapping[str, str] = ..., *, seconds: float = ..., **options: Any
    ) -> list[Finding]: ...


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of what the machine that runs the tests has set; no profile of the SDK either."""
    for name in [name for name in os.environ if _OWN.fullmatch(name)]:
        monkeypatch.delenv(name)
    # To the SDK, `ANTHROPIC_CONFIG_DIR` without a profile in it is a fault.
    monkeypatch.setenv("HOME", str(tmp_path_factory.getbasetemp() / "no-profile"))


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    """A simulator."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def examine(monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Looks at the way to the API. `seconds` is for all of it; `with_key` and `offline` as the command has them."""

    def look(variables: Mapping[str, str] | None = None, *, seconds: float = LONG, **options: Any) -> list[Finding]:
        for name, value in (variables or {}).items():
            monkeypatch.setenv(name, value)
        chosen = {"with_key": False, "offline": False, **options}
        return list(connection.section(dict(os.environ), Deadline(seconds), **chosen).findings)

    return look


def variables_for(endpoint: Endpoint) -> dict[str, str]:
    """The environment of an app that is to meet what the endpoint does."""
    variables = {"ANTHROPIC_BASE_URL": endpoint.base_url}
    if endpoint.ca_file is not None:
        variables["SSL_CERT_FILE"] = endpoint.ca_file
    if endpoint.proxy is not None:
        variables["HTTP_PROXY" if endpoint.base_url.startswith("http:") else "HTTPS_PROXY"] = endpoint.proxy
    return variables


def seconds_for(endpoint: Endpoint) -> float:
    """How long `doctor` may take to meet it: not long where a timeout is what is met."""
    needs = endpoint.needs
    waits = any(each is not None for each in (needs.connect_timeout, needs.read_timeout, needs.write_timeout))
    return patience(_SOON) if waits else LONG


def of(findings: Sequence[Finding], *subjects: str) -> list[Finding]:
    """Those about one of these."""
    return [finding for finding in findings if finding.subject in subjects]


def bad(findings: Sequence[Finding]) -> list[Finding]:
    """The faults."""
    return [finding for finding in findings if finding.state is State.BAD]


def texts(findings: Sequence[Finding]) -> str:
    """All that is said."""
    return "\n".join(f"{each.subject} {each.text} {each.remedy} {each.cause}" for each in findings)
