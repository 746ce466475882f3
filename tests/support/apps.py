"""The app under test: a client that meets an endpoint of the simulator, once through the SDK and once without it.

Rule: an app is written as a user writes it, and knows nothing of telemetry. What it is to be told of a provider is
an option of its client.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

import anthropic

from anthropic_otel.simulator import Endpoint
from support.driver import Driver
from support.stacks import Stack, Witness, http_client
from support.telemetry import Telemetry
from support.versions import TRACES_ITSELF

MODEL: Final = "claude-sonnet-5-5"
"""One that no version of the SDK has an opinion on."""
PROMPT: Final = "a prompt that nobody may see"
API_KEY: Final = "sk-ant-a-key-that-nobody-may-see"

CREDENTIALS: Final[dict[str, dict[str, Any]]] = {
    "Anthropic": {"api_key": API_KEY},
    "AnthropicBedrock": {
        "aws_access_key": "AKIAIOSFODNN7EXAMPLE",
        "aws_secret_key": API_KEY,
        "aws_region": "us-east-1",
    },
}
"""By the class of the SDK, what its client is made with. None of it is real."""


def request_of(content: str = PROMPT, **more: Any) -> dict[str, Any]:
    """The arguments of a call of the Messages API."""
    return {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": content}], **more}


class App(Protocol):
    """What can be done with either kind of app. `http` is the HTTP client."""

    http: Any
    witness: Witness

    def meet(self, content: str = PROMPT, *, stream: bool = False) -> Any:
        """Sends one request and reads what comes, to its end. Raises what the app gets to see."""

    def occupy(self, connections: int) -> None:
        """Leaves so many responses unread."""

    def close(self) -> None:
        """Closes what is left unread, and the client."""


class _OnHttpClient:
    """What both have in common. `http` is the HTTP client."""

    def __init__(self, stack: Stack, endpoint: Endpoint, driver: Driver, http: Any) -> None:
        self.driver = driver
        self.http = http if http is not None else http_client(stack, endpoint)
        self.witness: Witness = getattr(self.http, "witness", Witness())
        self._url = f"{endpoint.base_url}/v1/messages"
        self._unread: list[Any] = []

    def send(self, content: str = PROMPT, *, stream: bool = False, versioned: bool = True) -> Any:
        """The response to one request of the HTTP client; unread, if it is a stream.

        Only one that is `versioned`, with an `anthropic-version` header, is taken for one to the Messages API.
        """
        headers = {"x-api-key": API_KEY, **({"anthropic-version": "2023-06-01"} if versioned else {})}
        request = self.http.build_request("POST", self._url, json=request_of(content, stream=stream), headers=headers)
        return self.driver(self.http.send(request, stream=stream))

    def occupy(self, connections: int) -> None:
        """Leaves so many responses of the HTTP client unread."""
        self._unread += [self.send(stream=True) for _ in range(connections)]

    def close(self) -> None:
        """Closes what is left unread, and the HTTP client."""
        while self._unread:
            self.driver.close(self._unread.pop())
        self.driver.close(self.http)


class SdkApp(_OnHttpClient):
    """An app on the SDK. `client` is its SDK client, `http` the HTTP client below it."""

    def __init__(
        self,
        stack: Stack,
        endpoint: Endpoint,
        driver: Driver,
        telemetry: Telemetry | None = None,
        *,
        http: Any = None,
        client_class: type[Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(stack, endpoint, driver, http)
        name = endpoint.needs.sdk or "Anthropic"
        cls = client_class or getattr(anthropic, f"Async{name}" if stack.asynchronous else name)
        if client_class is None:
            options = {**CREDENTIALS[name], **options}
        options.setdefault("timeout", self.http.timeout)
        if TRACES_ITSELF and telemetry is not None:
            options.setdefault("open_telemetry", {"tracer_provider": telemetry.tracer_provider})
        self.client = cls(base_url=endpoint.base_url, http_client=self.http, **options)

    def meet(self, content: str = PROMPT, *, stream: bool = False) -> Any:
        if stream:
            return self.events(content)
        return self.create(content)

    def create(self, content: str = PROMPT, **more: Any) -> Any:
        """A call of `messages.create`."""
        return self.driver(self.client.messages.create(**request_of(content, **more)))

    def events(self, content: str = PROMPT, **more: Any) -> list[Any]:
        """The events of a streaming call of `messages.create`, read to its end."""
        return self.driver.read(self.create(content, stream=True, **more))


@contextmanager
def instrumented_app(stack: Stack, url: str, telemetry: Telemetry) -> Iterator[SdkApp]:
    """An app on the SDK with `url` as its base URL, whose client is older than the instrumentation of the process."""
    with Driver(asynchronous=stack.asynchronous) as driver:
        app = SdkApp(stack, Endpoint(url), driver, telemetry)
        telemetry.instrument()
        yield app
        app.close()


class BareApp(_OnHttpClient):
    """An app that calls the API without the SDK."""

    def __init__(self, stack: Stack, endpoint: Endpoint, driver: Driver, *, http: Any = None) -> None:
        super().__init__(stack, endpoint, driver, http)

    def meet(self, content: str = PROMPT, *, stream: bool = False) -> Any:
        response = self.send(content, stream=stream)
        if not stream:
            return response
        asynchronous = self.driver.asynchronous
        try:
            return self.driver.read(response.aiter_bytes() if asynchronous else response.iter_bytes())
        finally:
            self.driver.close(response)


def app_for(
    stack: Stack, endpoint: Endpoint, driver: Driver, telemetry: Telemetry | None = None, *, max_retries: int = 2
) -> App:
    """An app on that stack: of the SDK where it takes it; else a bare one, which does not retry."""
    if not stack.of_sdk:
        return BareApp(stack, endpoint, driver)
    return SdkApp(stack, endpoint, driver, telemetry, max_retries=max_retries)


def quietly(app: App) -> None:
    """Closes an app whose connections are broken: what its library then warns of is not of interest here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        app.close()
