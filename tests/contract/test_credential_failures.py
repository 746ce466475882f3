"""What the libraries that fetch credentials within a send raise: the cause is found below their own exceptions."""

from __future__ import annotations

import importlib
import urllib.request
from collections.abc import Callable

import pytest

from anthropic_otel._core.cause import classify
from anthropic_otel._core.semconv import NetworkCause, Phase
from anthropic_otel.simulator import Simulator
from anthropic_otel.simulator.catalogue import fault as fault_named

pytestmark = pytest.mark.without_sdk

_TIMEOUT = 0.3


def _by_requests(url: str) -> None:
    session = pytest.importorskip("requests").Session()
    session.trust_env = False
    with session:
        session.get(url, timeout=_TIMEOUT)


def _by_google_auth(url: str) -> None:
    pytest.importorskip("google.auth")
    session = pytest.importorskip("requests").Session()
    session.trust_env = False
    with session:
        importlib.import_module("google.auth.transport.requests").Request(session)(url, timeout=_TIMEOUT)


def _by_botocore(url: str) -> None:
    http = pytest.importorskip("botocore.httpsession").URLLib3Session(timeout=_TIMEOUT)
    request = importlib.import_module("botocore.awsrequest").AWSRequest("GET", url)
    try:
        http.send(request.prepare())
    finally:
        http.close()


def _by_urllib(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_TIMEOUT) as response:
        response.read()


CLIENTS = {
    "requests": _by_requests,
    "google-auth": _by_google_auth,
    "botocore": _by_botocore,
    "urllib": _by_urllib,
}

FAULTS = (
    "name_resolution_error",
    "connection_refused",
    "tls_untrusted",
    "tls_plain_port",
    "connection_reset",
    "server_disconnected",
    "protocol_error",
    "read_timeout",
)


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_failure_to_fetch_credentials_has_the_word_of_its_fault(
    client: Callable[[str], None], name: str, sim: Simulator
) -> None:
    """The same fault has the same word as for a request of the SDK, and the same errno."""
    fault, endpoint = fault_named(name), sim.endpoint(name)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        client(endpoint.base_url)
    cause = classify(caught.value, phase=Phase.AUTH)
    assert cause.word is fault.cause
    assert cause.errno in (fault.errno or (None,))


@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    [
        ("google.auth.exceptions", "RefreshError", ("invalid_grant",)),
        ("google.auth.exceptions", "DefaultCredentialsError", ("no credentials",)),
        ("botocore.exceptions", "NoCredentialsError", ()),
        ("requests.exceptions", "MissingSchema", ("x",)),
        ("urllib3.exceptions", "LocationParseError", ("x",)),
        ("anthropic", "CredentialsError", ("no credentials",)),
        ("anthropic", "WorkloadIdentityError", ("HTTP 401",)),
    ],
)
def test_credentials_that_are_not_there_are_a_request_not_sent(
    module: str, name: str, arguments: tuple[str, ...]
) -> None:
    """Without them nothing can be sent, and the network has not failed."""
    cls = getattr(pytest.importorskip(module), name, None)
    if cls is None:
        pytest.skip(f"{module} has no {name}")
    for phase in (None, Phase.AUTH):
        assert classify(cls(*arguments), phase=phase).word is NetworkCause.REQUEST_NOT_SENT


def test_a_provider_of_the_app_that_fails_is_a_request_not_sent() -> None:
    """Whatever it raises, the request was not sent."""
    assert classify(KeyError("token"), phase=Phase.AUTH).word is NetworkCause.REQUEST_NOT_SENT


@pytest.mark.parametrize("client", ["requests", "botocore"])
def test_a_proxy_on_the_way_to_credentials_is_a_proxy_error(client: str, sim: Simulator) -> None:
    """The libraries name their proxy themselves, over the system's refusal."""
    proxies = {"https": sim.endpoint("connection_refused").base_url}
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _through_proxy(client, proxies)
    cause = classify(caught.value, phase=Phase.AUTH)
    assert (cause.word, cause.errno) == (NetworkCause.PROXY_ERROR, "ECONNREFUSED")


def _through_proxy(client: str, proxies: dict[str, str]) -> None:
    if client == "requests":
        pytest.importorskip("requests").get("https://127.0.0.1:1/", proxies=proxies, timeout=_TIMEOUT)
        return
    http = pytest.importorskip("botocore.httpsession").URLLib3Session(timeout=_TIMEOUT, proxies=proxies)
    request = importlib.import_module("botocore.awsrequest").AWSRequest("GET", "https://127.0.0.1:1/")
    http.send(request.prepare())
