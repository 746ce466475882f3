"""What `why` makes of a printed exception's class is what the library makes of the class itself."""

from __future__ import annotations

from typing import Final

import pytest

from anthropic_otel._core.cause import classify
from anthropic_otel._core.semconv import NetworkCause
from anthropic_otel.cli.why import revive
from anthropic_otel.cli.why.printed import Printed

MODULES: Final = (
    *("httpx", "httpx2", "httpcore", "httpcore2", "aiohttp.client_exceptions", "aiohttp.http_exceptions", "anyio"),
    *("anthropic", "botocore.exceptions", "google.auth.exceptions", "requests.exceptions", "urllib3.exceptions"),
    *("h2.exceptions", "h11", "socksio", "idna", "http.client"),
)


@pytest.mark.parametrize("module", MODULES)
def test_a_printed_class_has_the_cause_of_the_real_one(module: str) -> None:
    """For every exception that a library defines, although a traceback does not show its base classes."""
    found = vars(pytest.importorskip(module)).values()
    classes = {each for each in found if isinstance(each, type) and issubclass(each, Exception)}
    different = {}
    for cls in (each for each in classes if not issubclass(each, Warning) and each.__module__ != "builtins"):
        error = cls.__new__(cls)
        error.args = ("broken",)
        real = classify(error).word
        printed = revive.cause((Printed(f"{cls.__module__}.{cls.__qualname__}", "broken"),)).word
        if printed is not real:
            different[cls.__qualname__] = (real.value, printed.value)
    assert classes
    assert different == {}


def test_a_printed_exception_of_libcurl_has_the_cause_of_the_number_that_it_quotes() -> None:
    """A traceback shows neither its base class nor the attribute with the number."""
    text = "Failed to perform, curl: (56) Recv failure: Connection reset by peer. See https://curl.se/libcurl/c/x.html"
    printed = Printed("curl_cffi.requests.exceptions.ConnectionError", text)
    assert revive.cause((printed,)).word is NetworkCause.CONNECTION_RESET
