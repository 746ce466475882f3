"""The way to the API as a whole: steps that work, several addresses, proxies that let through, clocks, and the key."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from anthropic_otel.cli.doctor.api.base_url import Target
from anthropic_otel.cli.doctor.api.remedies import Failure, advice
from anthropic_otel.cli.doctor.api.steps import Kind, Step
from anthropic_otel.cli.doctor.findings import Finding, State
from anthropic_otel.simulator import Simulator
from support.tunnel import Tunnel
from support.waiting import patience

from .conftest import LONG, Examine, bad, of, texts, variables_for

KEY = "sk-ant-api03-CANARYcanary0123456789"


def states(findings: list[Finding], *subjects: str) -> list[tuple[str, str]]:
    return [(each.subject, each.state.value) for each in of(findings, *subjects)]


# -- what works --------------------------------------------------------------------------------------------------------


def test_each_step_that_works_is_green_and_timed(sim: Simulator, examine: Examine) -> None:
    """TLS says its version and who has signed."""
    findings = examine(variables_for(sim.endpoint("ok_tls")))
    assert states(findings, "TCP", "TLS", "HTTP") == [("TCP", "good"), ("TLS", "good"), ("HTTP", "good")]
    assert not bad(findings)
    assert all(each.seconds is not None for each in of(findings, "TCP", "TLS", "HTTP"))
    [tls] = of(findings, "TLS")
    assert tls.text.startswith("TLSv1.3, signed by Testing CA #")


def test_a_proxy_that_lets_through_is_a_step(sim: Simulator, examine: Examine) -> None:
    """Its answer to CONNECT is told."""
    with Tunnel() as tunnel:
        findings = examine(variables_for(sim.endpoint("ok_tls")) | {"HTTPS_PROXY": tunnel.url})
    assert [each.subject for each in findings if each.state is State.GOOD] == ["TCP", "CONNECT", "TLS", "HTTP"]
    [connect] = of(findings, "CONNECT")
    assert connect.text == "200"


def test_a_socks_proxy_that_lets_through_is_a_step(sim: Simulator, examine: Examine) -> None:
    """It has no status."""
    with Tunnel() as tunnel:
        findings = examine(variables_for(sim.endpoint("ok_tls")) | {"ALL_PROXY": tunnel.socks_url})
    assert [each.subject for each in findings if each.state is State.GOOD] == ["TCP", "SOCKS", "TLS", "HTTP"]


# -- TLS ---------------------------------------------------------------------------------------------------------------


def test_inspection_behind_a_proxy_names_who_has_signed(sim: Simulator, examine: Examine) -> None:
    """The proxy's own CA is what has to be trusted."""
    with Tunnel() as tunnel:
        findings = examine(variables_for(sim.endpoint("tls_untrusted")) | {"HTTPS_PROXY": tunnel.url})
    assert states(findings, "CONNECT", "TLS", "HTTP") == [("CONNECT", "good"), ("TLS", "bad"), ("HTTP", "not_tried")]
    [tls] = of(findings, "TLS")
    assert tls.text.startswith('signed by "Testing CA #')
    assert tls.text.endswith("which is not among the CAs")
    assert tls.remedy.startswith("SSL_CERT_FILE=")


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("tls_wrong_host", "the certificate is for another-host.example, not for 127.0.0.1"),
        ("tls_expired", "the certificate expired on 20"),
        ("tls_not_yet_valid", "the certificate is valid only from 20"),
        ("tls_plain_port", "answers in plain text, not in TLS"),
        ("tls_closed", "closed the connection in the handshake"),
        ("tls_alert_version", "ended the handshake: tlsv1 alert protocol version"),
    ],
)
def test_each_kind_of_tls_fault_says_what_it_is(fault: str, text: str, sim: Simulator, examine: Examine) -> None:
    """A wrong clock is named where it may be that."""
    [found] = of(examine(variables_for(sim.endpoint(fault))), "TLS")
    assert text in found.text
    if fault in ("tls_expired", "tls_not_yet_valid"):
        assert "this machine's clock says 20" in found.text
        assert "NTP" in found.remedy


def test_tls_to_a_proxy_that_speaks_none_says_so(sim: Simulator, examine: Examine) -> None:
    """It is what `https://` in the proxy's variable does."""
    with Tunnel() as tunnel:
        proxy = tunnel.url.replace("http://", "https://")
        findings = examine(variables_for(sim.endpoint("ok_tls")) | {"HTTPS_PROXY": proxy}, seconds=patience(2))
    [fault] = bad(findings)
    assert fault.subject == "TLS to proxy"
    assert fault.remedy == "most proxies want http:// in HTTPS_PROXY"


# -- names and addresses -----------------------------------------------------------------------------------------------


@pytest.fixture
def named(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives the simulator's server a name with these addresses. The name is looked up here and nowhere else."""
    original, port = socket.getaddrinfo, urlsplit(sim.base_url).port

    def name(host: str, *addresses: str) -> str:
        def getaddrinfo(asked: Any, *args: Any, **kwargs: Any) -> Any:
            if asked not in (host, host.encode()):
                return original(asked, *args, **kwargs)
            return [found for each in addresses for found in original(each, port, 0, socket.SOCK_STREAM)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return f"http://{host}:{port}"

    return name


def test_the_addresses_of_a_name_are_shown(named: Any, examine: Examine) -> None:
    """In the order in which a client tries them."""
    [dns] = of(examine({"ANTHROPIC_BASE_URL": named("one.example", "127.0.0.1")}), "DNS")
    assert (dns.state, dns.text) == (State.GOOD, "one.example is 127.0.0.1")


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_an_address_that_does_not_answer_beside_one_that_does_is_worth_a_line(named: Any, examine: Examine) -> None:
    """The way is open by IPv4, but every new connection tries IPv6 first."""
    findings = examine({"ANTHROPIC_BASE_URL": named("dual.example", "::1", "127.0.0.1")})
    assert not bad(findings)
    [dns] = of(findings, "DNS")
    assert dns.text == "dual.example is ::1, 127.0.0.1"
    [reached, lost] = of(findings, "TCP")
    assert reached.text.startswith("127.0.0.1:")
    assert (lost.state, lost.text) == (State.NOTE, "not reached: ::1 (ECONNREFUSED)")


def test_no_address_that_answers_is_one_fault(named: Any, sim: Simulator, examine: Examine) -> None:
    """With the word that an attempt has."""
    url = named("dead.example", "127.0.0.2", "127.0.0.3")
    [fault] = bad(examine({"ANTHROPIC_BASE_URL": url}))
    assert (fault.subject, fault.cause) == ("TCP", "connection_refused")


def test_a_name_of_ipv6_alone_says_so_where_there_is_no_route() -> None:
    """IPv4 would have worked, and there is none."""
    step = Step(Kind.TCP, 0, 0.0)
    target = Target("https://six.example", "https", "six.example", 443)
    failure = Failure(step, "six.example:443", target, 0.1, errno="ENETUNREACH", only_ipv6=True)
    text, remedy = advice("network_unreachable", failure)
    assert text == "six.example:443 has only IPv6 addresses, and there is no route to them (ENETUNREACH)"
    assert "IPv6" in remedy


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_an_ipv6_address_is_a_target(sim: Simulator, examine: Examine) -> None:
    """In brackets, as a URL has it."""
    with _forwarding(urlsplit(sim.base_url).port or 0) as port:
        findings = examine({"ANTHROPIC_BASE_URL": f"http://[::1]:{port}"})
    assert not bad(findings)
    [target] = of(findings, "Target")
    assert target.text.startswith(f"http://[::1]:{port}")
    [tcp] = of(findings, "TCP")
    assert tcp.text == f"[::1]:{port}"


@contextlib.contextmanager
def _forwarding(to: int) -> Iterator[int]:
    """The port of `::1` that hands one connection on to a port of 127.0.0.1."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            there, _ = listener.accept()
            with there, socket.create_connection(("127.0.0.1", to)) as back:
                other = threading.Thread(target=_pump, args=(back, there))
                other.start()
                _pump(there, back)
                other.join()

    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_a_resolver_that_does_not_answer_is_not_waited_for(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up cannot be interrupted: it is left behind, and nothing is green."""
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait())
    try:
        findings = examine({"ANTHROPIC_BASE_URL": "https://slow.example"}, seconds=LONG)
    finally:
        over.set()
    [dns] = of(findings, "DNS")
    assert (dns.state, dns.cause) == (State.BAD, "name_resolution_error")
    assert dns.text == "slow.example: the resolver did not answer"
    assert "/etc/resolv.conf" in dns.remedy
    assert dns.seconds is not None
    assert dns.seconds < LONG / 10
    assert not [each for each in findings if each.state is State.GOOD]


# -- clocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "state", "text"),
    [
        (-7200.0, State.BAD, "this machine's is 2 h ahead of the server's"),
        (600.0, State.BAD, "this machine's is 10 min behind the server's"),
        (120.0, State.NOTE, "this machine's is 2 min behind the server's"),
    ],
)
def test_a_clock_that_is_off_is_told(ahead: float, state: State, text: str, examine: Examine) -> None:
    """By the `Date` of the answer."""
    with Simulator(clock=lambda: time.time() + ahead) as simulator:
        findings = examine({"ANTHROPIC_BASE_URL": simulator.base_url})
    [clock] = of(findings, "Clock")
    assert (clock.state, clock.text) == (state, text)


def test_a_clock_that_is_right_is_not_worth_a_line(sim: Simulator, examine: Examine) -> None:
    """A second or two are on the way."""
    assert not of(examine({"ANTHROPIC_BASE_URL": sim.base_url}), "Clock")


# -- the key -----------------------------------------------------------------------------------------------------------


def sent(simulator: Simulator) -> str:
    return "\n".join(f"{name}: {value}" for request in simulator.requests for name, value in request.headers)


@pytest.mark.parametrize("fault", ["ok", "redirect_529"])
def test_no_key_is_sent_unless_asked(fault: str, examine: Examine) -> None:
    """Nor a token, nor a header of one's own, nor with a redirect; and the key is not called good."""
    with Simulator() as simulator:
        secrets = {
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_AUTH_TOKEN": "token-CANARY",
            "ANTHROPIC_CUSTOM_HEADERS": "X-Gateway-Key: header-CANARY\nAuthorization: Bearer CANARY",
        }
        findings = examine({"ANTHROPIC_BASE_URL": simulator.endpoint(fault).base_url, **secrets})
        assert simulator.requests
        assert "CANARY" not in sent(simulator)
    assert "CANARY" not in texts(findings)
    assert not [each for each in of(findings, "Key", "Headers") if each.state is State.GOOD]


def test_with_key_asks_the_api_for_its_models(examine: Examine) -> None:
    """That is free, and shows that the key is taken."""
    with Simulator() as simulator:
        variables = {"ANTHROPIC_BASE_URL": simulator.base_url, "ANTHROPIC_API_KEY": KEY}
        findings = examine(variables, with_key=True)
        [request] = simulator.requests
        assert (request.method, request.target) == ("GET", "/v1/models")
        assert KEY in sent(simulator)
    assert not bad(findings)
    assert [each.text for each in of(findings, "Key")][-1] == "the API takes it (GET /v1/models)"


def test_a_key_that_the_api_does_not_take_is_a_fault(sim: Simulator, examine: Examine) -> None:
    """The way is open all the same."""
    variables = {"ANTHROPIC_BASE_URL": sim.endpoint("http_401").base_url, "ANTHROPIC_API_KEY": KEY}
    findings = examine(variables, with_key=True)
    assert states(findings, "HTTP") == [("HTTP", "good")]
    [fault] = bad(findings)
    assert (fault.subject, fault.text) == ("Key", "the API does not take it (401, authentication_error)")


def test_with_key_and_without_one_is_a_fault(sim: Simulator, examine: Examine) -> None:
    """The SDK refuses to send anything."""
    [fault] = bad(examine({"ANTHROPIC_BASE_URL": sim.base_url}, with_key=True))
    assert fault.remedy == "set ANTHROPIC_API_KEY: --with-key needs one"


def test_a_malformed_key_is_met_as_an_app_meets_it(sim: Simulator, examine: Examine) -> None:
    """With the key, the request has the same word as the finding about the key."""
    variables = {"ANTHROPIC_BASE_URL": sim.base_url, "ANTHROPIC_API_KEY": f"{KEY}\n"}
    findings = examine(variables, with_key=True)
    assert [(each.subject, each.cause) for each in bad(findings)] == [
        ("Key", "request_not_sent"),
        ("HTTP", "request_not_sent"),
    ]
    assert "CANARY" not in texts(findings)


def test_without_the_sdk_the_variables_are_checked_all_the_same(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing SDK is no bug of the command: the finding says what to install."""
    monkeypatch.setitem(sys.modules, "anthropic", None)
    findings = examine({"ANTHROPIC_BASE_URL": "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY": "your-key"})
    assert [each.subject for each in bad(findings)] == ["Target", "Key"]
    [network] = of(findings, "Network")
    assert (network.state, network.remedy) == (State.UNTRIED, "pip install anthropic")


def test_offline_sends_nothing(examine: Examine) -> None:
    """And calls nothing good."""
    with Simulator() as simulator:
        findings = examine({"ANTHROPIC_BASE_URL": simulator.base_url}, offline=True)
        assert not simulator.requests
    assert not [each for each in findings if each.state is State.GOOD]
    assert [each.text for each in of(findings, "Network")] == ["not tried (--offline)"]
