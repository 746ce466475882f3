"""Reads requests and responses of httpx and httpx2: headers, target, size, and what a traceback has of them.

It also sets headers of requests. One look-up of a header by httpx's public interface takes longer than `names_of`,
which runs for every request of an instrumented process. So most headers are read from, and set in, the private list in
which httpx keeps them. All are read and set by the public interface if that list is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import Any, Final

from anthropic_otel._core import headers
from anthropic_otel._core.cause_app import READS, answer_to_authentication
from anthropic_otel._core.cause_chain import CLIENTS, chain, is_a
from anthropic_otel._core.failed_send import Broken
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.stack import package_of, stack
from anthropic_otel._core.target import Target, target_of

RETRY_COUNT: Final = b"x-stainless-retry-count"
API_VERSION: Final = b"anthropic-version"
_PLATFORM_ROUTE: Final = re.compile(rb"/model/[^/]+/invoke|/publishers/anthropic/models/")
_ROUTE_TO_ANTHROPIC: Final = re.compile("/model/[^/]*anthropic[^/]*/invoke|/publishers/anthropic/models/")


def names_of(request: Any) -> list[bytes]:
    """Returns the name of each header of a request, in lower case and in their order. Repeated ones stay repeated."""
    # Not by `_listed`: every request of an instrumented process comes by, and pays for each function that it enters.
    listed = getattr(request.headers, "_list", None)
    return [key for _, key, _ in (listed if listed is not None else _listed(request))]


def _listed(message: Any) -> list[tuple[bytes, bytes, bytes]]:
    """Returns a triple for each header of a request or response: the name as given, in lower case, and the value.

    Not to be changed: it may be the message's own list.
    """
    listed: list[tuple[bytes, bytes, bytes]] | None = getattr(message.headers, "_list", None)
    return listed if listed is not None else [(name, name.lower(), value) for name, value in message.headers.raw]


def header_of(message: Any, names: list[bytes], name: bytes) -> bytes | None:
    """Returns the value of the first header with that name, `None` without one. `name` is in lower case.

    `names` are those that `names_of` returns for `message`.
    """
    try:
        at = names.index(name)
    except ValueError:
        return None
    return _listed(message)[at][2]


def trace_context_of(request: Any, names: list[bytes]) -> Mapping[str, str] | None:
    """Returns the values of `traceparent` and `tracestate` in a request's headers, by these names.

    A header that the request lacks, or whose value has more than 512 bytes, is left out. `None` if the request has no
    `traceparent` at all. `names` are those that `names_of` returns for `request`.
    """
    if b"traceparent" not in names:
        return None
    found = {name: header_of(request, names, name.encode()) for name in ("traceparent", "tracestate")}
    short = {name: value for name, value in found.items() if value is not None and len(value) <= _MAX_TRACE_CONTEXT}
    return {name: value.decode("latin-1") for name, value in short.items()}


_MAX_TRACE_CONTEXT: Final = 512
"""The W3C asks everybody to pass on a `tracestate` of up to this length in bytes."""


def set_headers(request: Any, names: list[bytes] | None, added: Mapping[str, str]) -> None:
    """Sets the headers `added`, whose names are ASCII. Each replaces all headers of the request with the same name.

    `names` are those that `names_of` returns for `request` before this call. With `None` they are looked up if needed;
    then the request must not have a header of `added` twice.
    """
    # By the public interface it takes 260 bytecodes more. The SDK has mostly set the header of its own span before.
    listed: list[tuple[bytes, bytes, bytes]] | None = getattr(request.headers, "_list", None)
    for name, value in added.items():
        key = name.encode("ascii")
        if names is None:
            if listed and listed[-1][1] == key and name.islower() and value.isascii():
                # The SDK has set the header of its own span last.
                kept = listed[-1][1]
                listed[-1] = (kept, kept, value.encode("ascii"))
                continue
            names = names_of(request)
        found = names.count(key)
        if listed is None or found > 1 or not (name.islower() and value.isascii()):
            request.headers[name] = value
            # It has removed the further ones, so that those behind them are elsewhere now.
            names = names_of(request)
        elif found:
            listed[names.index(key)] = (key, key, value.encode("ascii"))
        else:
            listed.append((key, key, value.encode("ascii")))


def broken_response(error: BaseException) -> tuple[Any, Broken | None]:
    """Returns the response that the client was handling when the send raised `error`, and its role (`Broken`).

    `error` was raised in one of three steps: the client, or an event hook, read the response's body; the client made
    the next request of a redirect; or `httpx.Auth` gave the response to an auth flow. `(None, None)` if it was raised
    in none of them. The role is `None` for the third step, and if a hook read a response that is no redirect.

    No exception has the response. It is taken from the variables of the library's functions in the traceback.
    """
    function, response = "", None
    for frame in stack(error):
        name = frame.f_code.co_name
        if package_of(frame) not in CLIENTS:
            continue
        if name in _HANDLERS:
            function, response = name, frame.f_locals.get("response")
        elif not function:
            # What has called `send`.
            continue
        elif not isinstance(getattr(response, "status_code", None), int):
            break
        elif name == _NEXT_HOP or (name in READS and frame.f_locals.get("self") is response):
            return response, _broken_by(function, response)
        elif function == _AUTH_FLOW and name in _AUTHENTICATES:
            return response, None
        else:
            break
    return None, None


def _broken_by(function: str, response: Any) -> Broken | None:
    """Returns the role of `response`, which `function` of the client was handling when it raised.

    `ANSWER` if `function` is `send`, which reads the last response. `HOP` for a redirect, and for a response that the
    client read in an auth flow. `None` if a hook read a response that is no redirect.
    """
    if function == "send":
        return Broken.ANSWER
    is_redirect = getattr(response, "has_redirect_location", False) is True
    return Broken.HOP if function == _AUTH_FLOW or is_redirect else None


_AUTH_FLOW: Final = "_send_handling_auth"
_REDIRECTS: Final = "_send_handling_redirects"
_HANDLERS: Final = ("send", _AUTH_FLOW, _REDIRECTS)
"""The functions of the clients that handle a response, in their variable `response`. Each calls the next one."""
_NEXT_HOP: Final = "_build_redirect_request"
"""The function of the clients that makes the next request of a redirect."""
_AUTHENTICATES: Final = ("sync_auth_flow", "async_auth_flow")


def response_of_status_error(error: BaseException, is_own: Callable[[Any], bool]) -> Any:
    """Returns the response of the HTTP library's `HTTPStatusError` that `error` is or was caused by (`chain`).

    If there are several, only the first in `chain` counts. `None` without one, or if `is_own` returns `False` for the
    exception's request: a hook may have sent a request of its own.
    """
    for each in chain(error):
        if is_a(each, "httpx.HTTPStatusError"):
            return getattr(each, "response", None) if is_own(getattr(each, "request", None)) else None
    return None


def request_of_auth_flow(error: BaseException) -> Any:
    """Returns the request that the client was sending, or had sent last, for an auth flow when it raised `error`.

    Every send of the client, even without `auth`, runs an auth flow and sends the requests that the flow yields. So the
    result is the send's own request, or one for credentials, but never one that follows a redirect. If the flow has
    yielded none yet, it is the send's own. `None` if `error` was raised before or after the flow, as by a closed client
    or by the reading of the last response. Found by the variables of the library's function in the traceback.
    """
    return variable_in(stack(error), _AUTH_FLOW, "request")


def answer_to_auth_flow(error: BaseException) -> Any:
    """Returns the response that an auth flow had been given when it raised `error`, `None` without one.

    `None` too if the flow is one of httpx itself, and not of the app, the SDK or another library; and for a 401, 403 or
    407, and any 3xx, which may lead to a login: with such a response the flow could not get credentials.
    """
    response: Any = answer_to_authentication(error)
    status = getattr(response, "status_code", None)
    demands = not isinstance(status, int) or status in _DEMANDS or 300 <= status < 400
    return None if demands else response


_DEMANDS: Final = (401, 403, 407)


def was_redirected(error: BaseException) -> bool:
    """Returns whether the client was handling a redirect, or sending what follows it, when it raised `error`.

    That is so if the last response that had come, by the variables of the traceback, is a redirect with a `location`.
    """
    response = variable_in(stack(error), _REDIRECTS, "response")
    return getattr(response, "has_redirect_location", False) is True


def variable_in(frames: Iterable[FrameType], function: str, name: str) -> Any:
    """Returns the variable `name` of the first of `frames` in which `function` of an HTTP library runs.

    `None` if there is no such frame, or it has no such variable yet.
    """
    for frame in frames:
        if frame.f_code.co_name == function and package_of(frame) in CLIENTS:
            return frame.f_locals.get(name)
    return None


def have_same_target(one: Any, other: Any) -> bool:
    """Returns whether `one` is a request with the same method, host, port and path as the request `other`."""
    if not hasattr(one, "url"):
        # A faulty auth flow may have yielded anything.
        return False
    same_place = one.url.host == other.url.host and port_of(one.url) == port_of(other.url)
    return bool(same_place and one.method == other.method and one.url.path == other.url.path)


def headers_of(response: Any) -> RawHeaders:
    """Returns the headers of a response by lowercase name, the values of a repeated name joined by `, `."""
    listed = getattr(response.headers, "_list", None)
    if listed is None:
        return headers.by_name(response.headers.raw)
    # Of 27 headers this takes 17,000 instructions less than `dict`, `map` and `itemgetter` do.
    found = {key: value for _, key, value in listed}
    return found if len(found) == len(listed) else headers.by_name(response.headers.raw)


def has_platform_route(request: Any) -> bool:
    """Returns whether a request's path is to invoke any model on Bedrock, or is of Anthropic's models on Vertex.

    The Messages API needs no `anthropic-version` header there.
    """
    return _PLATFORM_ROUTE.search(path_of(request)) is not None


def asks_anthropic_on_a_platform(request: Any) -> bool:
    """Returns whether a request's path is to invoke a model of Anthropic's on Bedrock, or is of its models on Vertex.

    On Bedrock a model of Anthropic's is one with `anthropic` in its id. An id may hide it, as that of a profile.
    """
    # Every request of an instrumented process comes by, and pays for each function that it enters.
    parts: Any = getattr(request.url, "_uri_reference", ())
    # Percent-encoded, so that a slash in a model, as in an ARN, does not divide it.
    path = parts.path if len(parts) == _PARTS else path_of(request).decode("ascii")
    return "anthropic" in path and _ROUTE_TO_ANTHROPIC.search(path) is not None


def retry_count_of(request: Any, names: list[bytes]) -> int:
    """Returns which retry of the SDK a request is, by the SDK's header: 0 for a first attempt.

    0 too if the request has no such header, or one that is not one to five digits. `names` are those that `names_of`
    returns for `request`.
    """
    retry_count = header_of(request, names, RETRY_COUNT)
    return int(retry_count) if retry_count is not None and retry_count.isdigit() and len(retry_count) < 6 else 0


def path_of(request: Any) -> bytes:
    """Returns a request's path, without the query, percent-encoded so that a slash in a model divides nothing."""
    path: bytes = request.url.raw_path.partition(b"?")[0]
    return path


def size_of(request: Any) -> int | None:
    """Returns the size of a request's body in bytes: that of a body in memory, else that in `content-length`.

    `None` for a body that is not in memory, or is empty, if the request has no valid `content-length`.
    """
    # Of what is sent. The request's `content` stays as it was if a hook of the app's client has compressed the body.
    content = getattr(request.stream, "_stream", None)
    if type(content) is bytes and content:
        return len(content)
    return headers.count(header_of(request, names_of(request), b"content-length"))


def target_of_request(request: Any) -> Target:
    """Returns the `Target` of a request: its method, address and operation, and of its URL what may be recorded."""
    url = request.url
    parts: Any = getattr(url, "_uri_reference", ())
    if len(parts) == _PARTS and "xn--" not in parts.host:
        # By the public interface it takes 2,500 instructions more.
        return target_of(request.method, parts.scheme, parts.host, parts.port, parts.path or "/")
    path = path_of(request).decode("ascii")
    return target_of(request.method, url.scheme, url.host, url.port, path)


_PARTS: Final = 7
"""How many parts the libraries divide a URL into. httpx 0.23 has five of another kind, and the port as text."""


def port_of(url: Any) -> int:
    """Returns the port of a URL. If it names none: 80 for `http`, else 443."""
    port: int | None = url.port
    return port if port is not None else 80 if url.scheme == "http" else 443
