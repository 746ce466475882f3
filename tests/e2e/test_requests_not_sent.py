"""What the client itself cannot send: a wrong key or URL, a client or an event loop that is closed, no file to open.

Rule: the word is the same on every HTTP stack, whatever its library raises; a test says what a person has done wrong.
"""

from __future__ import annotations

import asyncio
import errno
import io
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import anthropic
import pytest

from anthropic_otel.simulator import Endpoint, Simulator
from anthropic_otel.testing import Attempt, capture
from support.apps import SdkApp, request_of
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, Stack, http_client
from support.versions import SENDS_EMPTY_TOKENS
from support.waiting import collect_garbage

pytestmark = [pytest.mark.usefixtures("waits"), *BREAKS_CONNECTIONS]

ASYNC: Final = [stack for stack in SDK_STACKS if stack.asynchronous]
SECRET: Final = "sk-ant-a-key-that-nobody-may-see"


def of(stacks: list[Stack] | tuple[Stack, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stack", stacks, ids=lambda stack: stack.name)


def failed(stack: Stack, base_url: str, **options: Any) -> Attempt:
    """The one attempt of a call that an app on that stack makes, and that fails."""
    with Driver(asynchronous=stack.asynchronous) as driver, capture() as telemetry:
        app = SdkApp(stack, Endpoint(base_url), driver, max_retries=0, **options)
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is: the library must not change it
            app.create()
        app.close()
    [attempt] = telemetry.attempts
    return attempt


# -- request_not_sent --------------------------------------------------------------------------------------------------


@of(SDK_STACKS)
def test_a_key_with_its_newline_is_not_sent(stack: Stack, sim: Simulator) -> None:
    """A key that is read from a file ends in a line break, which no header may have."""
    attempt = failed(stack, sim.base_url, api_key=f"{SECRET}\n")
    assert (attempt.error_type, attempt.cause, attempt.outcome) == ("request_not_sent", "request_not_sent", "failed")
    assert SECRET not in repr(attempt)
    assert sim.requests == []


@pytest.mark.skipif(not SENDS_EMPTY_TOKENS, reason="this SDK takes an empty token for none")
@of([stack for stack in SDK_STACKS if not stack.aiohttp])  # aiohttp sends `Bearer` alone
def test_an_empty_token_is_not_sent(stack: Stack, sim: Simulator) -> None:
    """`Bearer ` with nothing behind it is no header value."""
    attempt = failed(stack, sim.base_url, api_key=None, auth_token="")
    assert attempt.error_type == "request_not_sent"


@of(SDK_STACKS)
def test_a_base_url_without_a_scheme_is_not_sent(stack: Stack, sim: Simulator) -> None:
    """`127.0.0.1:8080` is no URL that anything can be sent to."""
    attempt = failed(stack, sim.base_url.removeprefix("http:"))
    assert attempt.error_type == "request_not_sent"


@of(SDK_STACKS)
def test_a_host_that_is_no_host_name_is_not_sent(stack: Stack) -> None:
    """A label of a host name has 63 bytes at most: it cannot be encoded, or, on anyio, the resolver refuses it."""
    attempt = failed(stack, f"http://{'a' * 70}.invalid")
    asked = stack.asynchronous and not stack.aiohttp
    assert attempt.error_type == ("name_resolution_error" if asked else "request_not_sent")


class Broken(io.RawIOBase):
    """A file that cannot be read."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, size: int = -1) -> bytes:
        raise self._error

    def fileno(self) -> int:
        raise OSError


@pytest.mark.skipif(not hasattr(anthropic.resources.beta, "Files"), reason="this SDK uploads no files")
@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "disk"), ValueError("closed"), TimeoutError()], ids=lambda error: type(error).__name__
)
@of(SDK_STACKS)
def test_a_file_that_cannot_be_read_is_not_sent(stack: Stack, error: Exception, sim: Simulator) -> None:
    """What is to be uploaded breaks in the middle of the send: the network has done nothing."""
    with Driver(asynchronous=stack.asynchronous) as driver, capture() as telemetry:
        app = SdkApp(stack, Endpoint(sim.base_url), driver, max_retries=0)
        with pytest.raises(anthropic.APIConnectionError):
            driver(app.client.beta.files.upload(file=("name", Broken(error))))
        app.close()
    [attempt] = telemetry.attempts
    assert (attempt.operation, attempt.error_type, attempt.phase) == ("files.upload", "request_not_sent", "send")
    assert attempt.errno == ("EIO" if isinstance(error, OSError) and error.errno else None)


@of(SDK_STACKS)
def test_a_body_that_breaks_is_not_sent(stack: Stack, sim: Simulator) -> None:
    """A generator of the app's that raises what the network never does."""

    def parts() -> Iterator[bytes]:
        yield b"some"
        raise KeyError("no more")

    async def async_parts() -> AsyncIterator[bytes]:
        for each in (b"some",):
            yield each
        raise KeyError("no more")

    with Driver(asynchronous=stack.asynchronous) as driver, capture() as telemetry:
        client = http_client(stack, Endpoint(sim.base_url))
        headers = {"anthropic-version": "2023-06-01"}
        content: Any = async_parts() if stack.asynchronous else parts()
        with pytest.raises(Exception, match=r"no more|into the underlying connection"):
            driver(client.post(f"{sim.base_url}/v1/files", headers=headers, content=content))
        driver.close(client)
    [attempt] = telemetry.attempts
    assert (attempt.error_type, attempt.phase) == ("request_not_sent", "send")


@of(ASYNC)
@pytest.mark.parametrize("port", ["65536", "80800"])
def test_a_port_that_there_is_not_is_not_sent(stack: Stack, port: str) -> None:
    """A digit too many in the base URL. A sync client connects to the port that is left of it."""
    attempt = failed(stack, f"http://127.0.0.1:{port}")
    assert (attempt.error_type, attempt.outcome) == ("request_not_sent", "failed")


@of([stack for stack in SDK_STACKS if stack.aiohttp])
def test_two_credentials_are_not_sent_by_aiohttp(stack: Stack, sim: Simulator) -> None:
    """A gateway's user and password in the base URL, which httpx makes a header of, and aiohttp another one."""
    attempt = failed(stack, sim.base_url.replace("://", "://user:password@"))
    assert (attempt.error_type, attempt.outcome) == ("request_not_sent", "failed")
    assert sim.requests == []


@of(SDK_STACKS)
@pytest.mark.parametrize("timeout", ["60", float("nan"), float("inf")], ids=str)
def test_a_timeout_that_is_none_is_not_sent(stack: Stack, timeout: Any, sim: Simulator) -> None:
    """A text, as of an environment variable, or what is no time: where the stack cannot use it, nothing is sent."""
    if stack.aiohttp and str(timeout) == "nan":
        pytest.skip("the event loop itself fails if it has to wait for that: aiohttp asks it to")
    with Driver(asynchronous=stack.asynchronous) as driver, capture() as telemetry:
        app = SdkApp(stack, Endpoint(sim.base_url), driver, max_retries=0, timeout=timeout)
        with suppress(anthropic.APIConnectionError):
            app.create()
        app.close()
    [attempt] = telemetry.attempts
    # asyncio can wait for ever.
    assert attempt.error_type in ("request_not_sent", *([None] if timeout == float("inf") else []))
    if timeout == "60":
        assert attempt.error_type == "request_not_sent"


@of([stack for stack in SDK_STACKS if not stack.aiohttp])
@pytest.mark.parametrize("timeout", [0, -1.5])
def test_no_time_left_is_a_timeout(stack: Stack, timeout: float, sim: Simulator) -> None:
    """What is left of a deadline that has passed is zero or less."""
    attempt = failed(stack, sim.base_url, timeout=timeout)
    assert (attempt.error_type, attempt.phase) == ("connect_timeout", "connect")


@of([stack for stack in SDK_STACKS if not stack.asynchronous])
def test_a_request_that_cannot_be_written_is_no_timeout(stack: Stack) -> None:
    """The transport waits for an answer all the same, until its timeout: what failed is the writing."""

    def shut(name: str, info: dict[str, Any]) -> None:
        if name == "connection.connect_tcp.complete":
            info["return_value"].get_extra_info("socket").shutdown(socket.SHUT_WR)

    class Tracing(stack.client_class):  # type: ignore[misc,name-defined]
        def build_request(self, *arguments: Any, **options: Any) -> Any:
            request = super().build_request(*arguments, **options)
            request.extensions["trace"] = shut
            return request

    with socket.create_server(("127.0.0.1", 0)) as silent:
        http = http_client(stack, cls=Tracing)
        attempt = failed(stack, f"http://127.0.0.1:{silent.getsockname()[1]}", http=http, timeout=0.2)
    assert (attempt.error_type, attempt.errno, attempt.phase) == ("connection_reset", "EPIPE", "send")


# -- client_closed, event_loop_closed ----------------------------------------------------------------------------------


@of(SDK_STACKS)
def test_a_client_that_is_closed_is_named(stack: Stack, sim: Simulator) -> None:
    """An app that goes on with a client it has closed reads so."""
    with Driver(asynchronous=stack.asynchronous) as driver, capture() as telemetry:
        app = SdkApp(stack, Endpoint(sim.base_url), driver, max_retries=0)
        app.create()
        app.close()
        with pytest.raises(Exception):  # noqa: B017, PT011 - httpx's RuntimeError, or what the SDK makes of it
            app.create()
    assert [attempt.error_type for attempt in telemetry.attempts] == [None, "client_closed"]


@of(ASYNC)
def test_a_client_that_is_closed_while_a_request_waits_is_named(stack: Stack, sim: Simulator) -> None:
    """A shutdown closes the client under a request: to aiohttp that is as if the server had gone."""

    async def main() -> None:
        client = http_client(stack)
        sdk = anthropic.AsyncAnthropic(base_url=sim.base_url, api_key=SECRET, http_client=client, max_retries=0)
        task = asyncio.ensure_future(_create(sdk))
        while not sim.requests:
            await asyncio.sleep(0.01)
        await client.aclose()
        with pytest.raises(anthropic.APIConnectionError):
            await task

    sim.play("read_timeout")
    with capture() as telemetry:
        asyncio.run(main())
    [attempt] = telemetry.attempts
    assert (attempt.error_type, attempt.outcome) == ("client_closed", "failed")
    assert attempt.phase == "wait"


@of(SDK_STACKS)
def test_an_international_host_is_no_proxy(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is connected to in another form than it was written in, by which it could be taken for a proxy's."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, port, *args, **kw: resolve("127.0.0.1", port, *args, **kw))
    attempt = failed(stack, "http://b\u00fccher.test:1")
    assert (attempt.error_type, attempt.outcome) == ("connection_refused", "failed")


@of(ASYNC)
def test_a_client_of_a_closed_event_loop_is_named(stack: Stack, sim: Simulator) -> None:
    """One async client and one `asyncio.run` per request, as Celery, Flask and scripts have it."""
    with capture() as telemetry:
        client = anthropic.AsyncAnthropic(
            base_url=sim.base_url, api_key=SECRET, http_client=http_client(stack), max_retries=0
        )
        asyncio.run(_create(client))
        with suppress(Exception):
            asyncio.run(_create(client))
    assert [attempt.error_type for attempt in telemetry.attempts] == [None, "event_loop_closed"]


async def _create(client: Any) -> None:
    await client.messages.create(**request_of())


# -- files -------------------------------------------------------------------------------------------------------------


@contextmanager
def no_more_files() -> Iterator[None]:
    """Within the block the process can open no further file or socket."""
    collect_garbage()  # sockets of an earlier test that were closed in the block would make room for others
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as highest:
        used = highest.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@of([stack for stack in SDK_STACKS if not stack.asynchronous])
def test_no_file_descriptor_left_is_told_by_its_errno(stack: Stack, sim: Simulator) -> None:
    """The connection cannot be opened: the cause is one of the network, and the errno says which."""
    endpoint = Endpoint(sim.base_url)
    with Driver(asynchronous=False) as driver, capture() as telemetry:
        app = SdkApp(stack, endpoint, driver, max_retries=0)
        with pytest.raises(anthropic.APIConnectionError), no_more_files():
            app.create()
        app.close()
    [attempt] = telemetry.attempts
    assert (attempt.outcome, attempt.errno, attempt.phase) == ("failed", "EMFILE", "connect")
    assert attempt.error_type == "connection_error"


@pytest.mark.parametrize("content", [None, "", "not a certificate"], ids=["missing", "empty", "unreadable"])
def test_a_ca_file_that_cannot_be_used_is_the_apps_own_error(content: str | None, tmp_path: Path) -> None:
    """It is read when the client is made: the app sees its own exception, and there is neither attempt nor call."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with capture() as telemetry, pytest.raises((OSError, ssl.SSLError)):
        anthropic.Anthropic(
            api_key=SECRET, http_client=anthropic.DefaultHttpxClient(verify=ssl.create_default_context(cafile=file))
        )
    assert (telemetry.calls, telemetry.attempts) == ([], [])
