"""Finds out which model a request asks for, and whether it asks for a stream, where its call does not say.

A middleware may fall back to another model than the call's. The model is taken where the SDK builds a request of its
options, as in the body it comes after the prompt. Without the SDK it is taken from the path, where Bedrock and Vertex
have it. Paths of theirs also tell whether a stream is asked for. Where the path does not tell the one or the other, a
body that is in memory is searched: its first 256 bytes for the model, and its first and last 256 for the stream.

Rule: no model's name is kept that is longer than 128 characters. In a body only members of the outermost object count:
the input of a tool, which is a part of the prompt, may have the same names.
"""

from __future__ import annotations

import functools
import re
import weakref
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from anthropic_otel._adapters.current import current_call
from anthropic_otel._adapters.messages import path_of
from anthropic_otel._adapters.patches import Function, Patch
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.semconv import OTHER

_MAX_MODEL: Final = 128
_BEGINNING: Final = 256
_MODEL: Final = re.compile(rb'"model"\s{0,4}:\s{0,4}"([^"\\]{1,128})"')

_STREAM: Final = re.compile(rb'(?<!\\)"stream"\s{0,4}:\s{0,4}true')
"""Finds `"stream": true`. Inside of a JSON string the quotes are escaped, so that no text of a prompt matches."""

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)

_ROUTE: Final = re.compile(
    rb"/model/([^/?]+)/invoke|/publishers/anthropic/models/(?!count-tokens:)([^/:?]+):(?:streamR|r)awPredict"
)
"""Finds the model in the path by which a message is asked for, on Bedrock and on Vertex."""

_WHOLE_ROUTE: Final = re.compile(rb"/model/[^/]+/invoke\Z")
"""Finds the end of the path by which Bedrock is asked for a message that is no stream."""

NO_FIELDS: Final[Mapping[str, Any]] = {}
"""Stands for the fields of request options that have no `__dict__`, and so are not the SDK's."""

_built: Final[dict[weakref.ref[Any], tuple[str | None, str | None]]] = {}
"""The model and the idempotency key that `wrap_build_request` has noted of requests, while these are alive.

It is no `WeakKeyDictionary`, which finds out in Python whether it is empty: 1,300 instructions, twice a call.
"""


def _forget(request: weakref.ref[Any]) -> None:
    _built.pop(request, None)


def bounded(model: object) -> str | None:
    """Returns a model's name as it may be recorded: a plain string; what cannot be encoded as UTF-8 becomes `?`.

    `_OTHER` for a name of more than 128 characters, `None` for any object but a string. A member of a string `Enum` is
    recorded by its value, which the SDK sends.
    """
    if type(model) is not str:
        if not isinstance(model, str):
            return None
        model = str.__str__(model)
    if len(model) > _MAX_MODEL:
        return OTHER
    return model if model.isascii() else model.encode("utf-8", "replace").decode()


def model_in(body: object) -> str | None:
    """Returns the `model` in a request's body that is not encoded as JSON yet, passed through `bounded`.

    So it is `_OTHER` if the name is too long. `None` if `body` is no mapping, or has no model that is a string.
    """
    # It is mostly `None` or a dictionary, for which `isinstance` would take longer.
    if body is None or not (type(body) is dict or isinstance(body, Mapping)):
        return None
    model = body.get("model")
    return model if type(model) is str and len(model) <= _MAX_MODEL and model.isascii() else bounded(model)


def model_may_be_elsewhere(options: object) -> bool:
    """Returns whether the SDK's request options may name a model elsewhere than in the body that the app passed.

    They may if they have an `extra_body` that is not empty, a URL with `/model` in it, or no URL that is a `str`.
    """
    fields = getattr(options, "__dict__", NO_FIELDS)
    url = fields.get("url")
    return bool(fields.get("extra_json")) or type(url) is not str or "/model" in url


def asks_for_stream(options: object) -> bool:
    """Returns whether the body in the SDK's request options asks for a stream, by its member `stream`.

    That of `extra_body` goes before that of the body. Of a body in bytes the first and the last 256 are looked at.
    `False` also if that is not known.
    """
    fields = getattr(options, "__dict__", NO_FIELDS)
    for body in (fields.get("extra_json"), fields.get("json_data")):
        if isinstance(body, Mapping) and "stream" in body:
            return body["stream"] is True
    content = content_in(fields)
    return content is not None and _asks_for_stream(content) is True


def content_in(fields: Mapping[str, Any]) -> bytes | None:
    """Returns the body of a request if it is bytes, which are sent as they are, else `None`.

    `fields` is the `__dict__` of the SDK's request options: the body is its `content` or its `json_data`.
    """
    # Up to 0.125 the body of a raw request may be bytes too.
    found = (fields.get("content"), fields.get("json_data"))
    return next((content for content in found if isinstance(content, bytes)), None)


def model_in_content(content: object) -> str | None:
    """Returns the model in the first 256 bytes of a request's body; `None` without one, or if `content` is not bytes.

    A model with a backslash, or with more than 128 bytes, is not found.
    """
    if not isinstance(content, bytes):
        return None
    found = next((one for one in _MODEL.finditer(content, 0, _BEGINNING) if _is_at_top(content[: one.start()])), None)
    return bounded(found[1].decode("utf-8", "replace")) if found is not None else None


def wrap_build_request(original: Function, patch: Patch) -> Function:
    """Returns the replacement for `_build_request` of the SDK's clients, which notes model and key of built requests.

    The key is the idempotency key. Where no call is current, both are noted of every request. In a call they are noted
    if the options have a model other than the call's. If they have the call's, they are noted only while a note of any
    request in the process is kept. Nothing is noted once `patch` is inactive, or of the client whose requests are all
    known to ask for the model of the current call (`RunningCall.model_kept_by`).
    """

    @functools.wraps(original)
    def _build_request(self: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        running = current_call.get()
        if running is not None and running.model_kept_by == id(self):
            return original(self, options, *args, **kwargs)
        # Before the original: the clients of some platforms take the model out of the options, into the URL.
        model = _model_of(options) if patch.active else None
        request = original(self, options, *args, **kwargs)
        # Usually it is the call's model, which needs no note. A note costs 12 function calls.
        if running is None:
            if patch.active:
                _note(request, model, options)
        elif model is not None and (running.call.invocation.model != model or _built):
            _note(request, model, options)
        return request

    return _build_request


def wrap_api_request(original: Function, patch: Patch) -> Function:
    """Returns the replacement for `__init__` of the SDK's `APIRequest`, which sets `key` of the current `RunningCall`.

    It does so while `patch` is active, if the call has a middleware and no key yet. The SDK makes the first
    `APIRequest` of a call where the call is current, and passes it to the middlewares. By the key, requests that these
    send in threads of their own are found to be of the call.
    """

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        running = current_call.get() if patch.active else None
        if running is not None and running.has_middleware and running.key is None:
            running.key = _key_of(getattr(self, "options", None))

    return __init__


def _model_of(options: Any) -> str | None:
    """Returns the model in the SDK's request options: that of the URL, else of `extra_body`, else of the body.

    It is `_OTHER` for a name that is too long (`bounded`). The URL comes first, as in older SDKs the clients of
    platforms move the model of the body there, whatever `extra_body` says. `None` without a model, or on a failure.
    """
    # Guarded in place, as it runs for every request of the SDK.
    try:
        fields: Mapping[str, Any] = getattr(options, "__dict__", NO_FIELDS)
        url, extra = fields.get("url"), fields.get("extra_json")
        found = _model_in_url(url) if isinstance(url, str) and "/model" in url else None
        return found or (model_in(extra) if extra else None) or model_in(fields.get("json_data"))
    except Exception as error:
        report("_model_of", error)
        return None


def _model_in_url(url: str) -> str | None:
    """Returns the model in the URL of request options, to which the clients of Bedrock and Vertex move it.

    `None` without one, as where Vertex counts tokens, and for a URL of more than 2,048 characters.
    """
    if len(url) > _MAX_URL:
        return None
    found = _IN_URL.search(url)
    return bounded(unquote(found[1] or found[2])) if found is not None else None


_MAX_URL: Final = 2_048
_IN_URL: Final = re.compile(r"(?:^|/)model/([^/?]+)/invoke|/publishers/anthropic/models/(?!count-tokens:)([^/?:]+):")


@guarded(None)
def _note(request: Any, model: str | None, options: Any) -> None:
    # If several classes build a request, the outermost notes last: an inner one may not see the model any more.
    _built[weakref.ref(request, _forget)] = model, _key_of(options)


@guarded(None)
def _key_of(options: Any) -> str | None:
    """Returns the idempotency key that the SDK gives to all requests of a call, `None` without one, as for a GET."""
    key = getattr(options, "idempotency_key", None)
    return key if isinstance(key, str) else None


@guarded(None)
def stream_of(request: Any) -> bool | None:
    """Returns whether a request asks for a stream; `None` if that is not known, or on a failure.

    `True` if its path ends like one of `_STREAM_ROUTES`, `False` if its path is Bedrock's for a message without a
    stream. Any other request is judged by its body (`_asks_for_stream`), `None` if the body is not in memory.
    """
    path = path_of(request)
    if path.endswith(_STREAM_ROUTES):
        return True
    if _WHOLE_ROUTE.search(path):
        return False
    content = getattr(request, "_content", None)
    return _asks_for_stream(content) if isinstance(content, bytes) else None


def _asks_for_stream(content: bytes) -> bool | None:
    """Returns `True` if the first or the last 256 bytes of a JSON body have `"stream": true` of the outermost object.

    Else `False` for a body of 256 bytes or less, and `None` for every longer one: its middle is not searched.
    """
    if any(_is_at_top(content[: found.start()]) for found in _STREAM.finditer(content, 0, _BEGINNING)):
        return True
    last = _STREAM.finditer(content, max(len(content) - _BEGINNING, 0))
    if any(_depth_of(content[found.end() :]) == -1 for found in last):
        return True
    return False if len(content) <= _BEGINNING else None


def _is_at_top(before: bytes) -> bool:
    """Returns whether a member is one of the outermost object. `before` is the whole JSON text in front of it."""
    return _depth_of(before) == 1


def _depth_of(part: bytes) -> int:
    """Returns how many more objects and lists begin than end in `part` of a JSON text, as a negative number if fewer.

    `part` must not begin within a string.
    """
    plain = _STRING.sub(b"", part)
    return plain.count(b"{") + plain.count(b"[") - plain.count(b"}") - plain.count(b"]")


_STREAM_ROUTES: Final = (b"/invoke-with-response-stream", b":streamRawPredict", b"/stream")
"""The ends of the paths by which Bedrock and Vertex are asked for a stream, and any platform for a session's events."""


def noted_model_of(request: Any) -> str | None:
    """Returns the model that was noted when the SDK built a request, `None` if none was.

    In a call mostly none is noted if the model is the call's (`wrap_build_request`).
    """
    found = _built.get(weakref.ref(request)) if _built else None
    return found[0] if found is not None else None


def noted_key_of(request: Any) -> str | None:
    """Returns the idempotency key that was noted when the SDK built a request, `None` if none was.

    One is noted, if the SDK gave the request a key, of every request that was built where no call is current, and of
    some that were built in a call.
    """
    found = _built.get(weakref.ref(request))
    return found[1] if found is not None else None


def model_of(request: Any) -> str | None:
    """Returns the model that a request without a call asks for, `None` if not known.

    It is the one that was noted when the SDK built the request, else that in a path of Bedrock's or Vertex's, else that
    in the first 256 bytes of a body in memory. `_OTHER` for a name of more than 128 characters, unless it is in a body.
    """
    model = noted_model_of(request)
    if model is not None:
        return model
    route = _ROUTE.search(path_of(request))
    if route is not None:
        return bounded(unquote((route[1] or route[2]).decode("ascii"), errors="replace"))
    return model_in_content(getattr(request, "_content", None))
