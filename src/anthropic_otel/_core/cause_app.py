"""Finds exceptions that the app's own code raised within a send or the reading of a body, not the network.

The SDK takes nearly every exception of its HTTP client for a failed connection, so it sends again, or raises
`APIConnectionError`. The traceback, or for a test double its class, shows who raised it:

- a signal handler of the app, such as the soft time limit of a task, or `TimeoutError` after an alarm;
- a hook, a trace function or an authentication of the app, or a function that it called;
- the body of the request, a file or a generator: then the request was not sent;
- a library of test doubles, such as respx or vcr, that has no answer for the request;
- a model of the app, into which the SDK parses the text of a stream, that does not take it;
- another thread or greenlet, which has thrown it into the middle of a library that cannot raise it: by
  `PyThreadState_SetAsyncExc`, `gevent.Timeout(1, MyError)` or `greenlet.kill(MyError)`.

The traceback also shows two failures of a library: for an argument that it cannot use, and for a response that it
cannot read. An exception of a transport counts as a failure of the network, also if the app wrote the transport.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from anthropic_otel._core.cause_chain import CLIENTS, HTTPCORE, Frame, frames, raised_in, root
from anthropic_otel._core.failure import Failure
from anthropic_otel._core.guard import guarded, is_of_the_app
from anthropic_otel._core.stack import package_of, stack

_OURS: Final = __name__.partition(".")[0]
_LIBRARIES: Final = (
    CLIENTS | HTTPCORE | {"aiohttp", "httpx_aiohttp", "anyio", "trio", "sniffio", "h11", "h2", "socksio", _OURS}
)


_DOUBLES: Final = ("vcr", "respx", "pytest_httpx", "pytest_socket", "pytest_recording", "pook", "mocket", "httpretty")
"""The packages with exceptions for a request that a test did not expect."""
_SWITCHERS: Final = ("gevent", "eventlet")
"""The packages whose functions a greenlet waits in."""


def is_of_app(failure: Failure) -> bool:
    """Returns whether code of the app raised the outermost exception, or its signal handler any one of the chain.

    Code of the app is an event hook, a trace function, a model, what these call, or a library of test doubles that has
    no answer (`_is_of_a_double`). Two do not count here: an `httpx.Auth` (`is_of_authentication`), and an event hook
    that was reading the body of its own response, as to log it: then the network failed.
    """
    error = failure.errors[0]
    return (
        _is_of_a_double(error)
        or any(map(is_of_the_app, failure.errors))
        or _passes_app(error, _CALLS_TRACE_FUNCTIONS | _PARSES_TEXT)
        or (_passes_app(error, _CALLS_HOOKS) and not _is_of_hooks_response(error))
    )


@guarded(False)
def is_of_a_model(error: BaseException | None) -> bool:
    """Returns whether a model of the app, into which the SDK parses the text of a reply, raised `error`.

    It does if the text does not fit it. Its class may be of a library, such as pydantic. Never raises; `False` for
    `None`, and for what is no `Exception`.
    """
    return isinstance(error, Exception) and _passes_app(error, _PARSES_TEXT)


def _is_of_hooks_response(error: BaseException) -> bool:
    """Returns whether the body of the response that an event hook was called with was being read as `error` was raised.

    `False` if it was another response's. `error` must have been raised in an event hook. Found by the variables of the
    traceback.
    """
    response: object = None
    for frame in stack(error):
        step = package_of(frame), frame.f_code.co_name
        if response is None and step in _CALLS_HOOKS:
            response = frame.f_locals.get("response")
        elif response is not None and step in _READS and frame.f_locals.get("self") is response:
            return True
    return False


def _is_of_a_double(error: BaseException) -> bool:
    """Returns whether `error` is of a class of a library in `_DOUBLES`, or a plain `RuntimeError` raised there.

    A test may have such a library raise another exception, such as one of httpx. That counts as the network's.
    """
    return root(type(error)) in _DOUBLES or (type(error) is RuntimeError and raised_in(error)[0] in _DOUBLES)


def is_of_authentication(error: BaseException) -> bool:
    """Returns whether `error` was raised in, or by what was called in, an `httpx.Auth` of the app or another library.

    `False` for those of httpx itself. Such an authentication may fetch its tokens by requests of its own.
    """
    return _passes_app(error, _AUTHENTICATES)


def answer_to_authentication(error: BaseException) -> object:
    """Returns the response that the authentication which raised `error` had been given, by the traceback.

    `None` if it had been given none, and if `is_of_authentication` is `False`.
    """
    if is_of_authentication(error):
        for frame in stack(error):
            if (package_of(frame), frame.f_code.co_name) in _AUTHENTICATES:
                return frame.f_locals.get("response")
    return None


def is_read_in(error: BaseException, response: object) -> bool:
    """Returns whether the body of `response`, one of httpx, was being read as `error` was raised, by the traceback."""
    return any(
        frame.f_locals.get("self") is response and (package_of(frame), frame.f_code.co_name) in _READS
        for frame in stack(error)
    )


def is_of_request_body(failure: Failure) -> bool:
    """Returns whether an exception of the chain was raised as the request's body, a file or a generator, was read."""
    return any(_passes(error, _reads_body) for error in failure.errors)


def is_of_argument(failure: Failure) -> bool:
    """Returns whether the innermost exception is taken for one of a wrong argument, such as a timeout of NaN.

    Every `TypeError`, `ValueError` or `OverflowError`, but none of a subclass, is taken for one if it was raised in a
    library (`_is_known`), and the request is not known to have been sent whole (`failure.sent_whole`).
    """
    error = failure.errors[-1]
    is_plain = type(error) in (TypeError, ValueError, OverflowError)
    return is_plain and not failure.sent_whole and _is_known(raised_in(error)[0])


def is_of_response(failure: Failure) -> bool:
    """Returns whether the innermost exception is taken for a response that a library could not read.

    An example is an HTTP/2 status that is no number. Every `ValueError`, of a subclass too, is taken for one if it was
    raised in a library (`_is_known`), and the request is known to have been sent whole (`failure.sent_whole`). Only a
    `ValueError` of a function named `read` is not: such a function raises it for a timeout that is no number.
    """
    error = failure.errors[-1]
    package, function = raised_in(error)
    return isinstance(error, ValueError) and failure.sent_whole and _is_known(package) and function != "read"


def was_set_from_outside(failure: Failure) -> bool:
    """Returns whether the innermost exception is taken for one that was thrown into this thread or greenlet.

    Another thread may throw one by `PyThreadState_SetAsyncExc`, for example. An exception is taken for a thrown one if
    it was raised in a library (`_is_known`), in gevent or in eventlet, and no library (`_is_known`) defines its class:
    no such library raises it by itself. The class may be one of gevent or eventlet.
    """
    error = failure.errors[-1]
    package = raised_in(error)[0]
    return not _is_known(root(type(error))) and (_is_known(package) or package in _SWITCHERS)


def _passes(error: BaseException, calls: Callable[[Frame, Frame], bool]) -> bool:
    """Returns whether `calls` is true of a frame in the traceback of `error` and the frame that it called.

    Where another library has wrapped a private `_send_…` method of httpx, a call to that wrapper does not count
    (`_is_wrapped`).
    """
    steps = list(frames(error))
    return any(
        calls(*pair) and not _is_wrapped(steps[index + 1 :]) for index, pair in enumerate(itertools.pairwise(steps))
    )


def _passes_app(error: BaseException, callers: frozenset[Frame]) -> bool:
    """Returns whether `error` came through code of the app that one of the functions `callers` had called.

    A function is code of the app if its package is neither a library (`_is_known`) nor the caller's own. A call to
    another library's wrapper around a private method of httpx does not count (`_passes`).
    """
    return _passes(
        error, lambda caller, called: caller in callers and called[0] != caller[0] and not _is_known(called[0])
    )


def _is_wrapped(called: Sequence[Frame]) -> bool:
    """Returns whether a call was made to another library's wrapper around a private `_send_…` method of httpx.

    `called` are the frames of that call, outermost first. If they get back into httpx by a private `_send_…` method, it
    was such a wrapper. A hook that sends a request of its own gets there by a public method.
    """
    back = next((function for package, function in called if package in CLIENTS), "")
    return back.startswith("_send_")


def _reads_body(caller: Frame, called: Frame) -> bool:
    """Returns whether `caller` reads the next chunk of the request's body by calling `called`.

    `False` if `caller` is not of httpcore or aiohttp.
    """
    package, function = caller
    by_client = called[0] in CLIENTS
    # Anything else that a transport calls is its own code, or makes the bytes of the protocol.
    by_httpcore = package in HTTPCORE and function == "_send_request_body" and (by_client or not _is_known(called[0]))
    return by_httpcore or (package == "aiohttp" and by_client)


def _functions(packages: Iterable[str], *names: str) -> frozenset[Frame]:
    return frozenset(itertools.product(packages, names))


_CALLS_HOOKS: Final = _functions(CLIENTS, "_send_handling_redirects")
"""The function of httpx and httpx2 that calls event hooks."""
_CALLS_TRACE_FUNCTIONS: Final = _functions(HTTPCORE, "trace", "atrace") | {(_OURS, "__call__")}
"""The functions that call a trace function of the app: httpcore's, and our own trace function."""
_PARSES_TEXT: Final = _functions(("anthropic",), "parse_text")
"""The SDK's function that has the text of a block parsed into a model of the app, mostly by pydantic."""
_AUTHENTICATES: Final = _functions(CLIENTS, "_send_handling_auth", "sync_auth_flow", "async_auth_flow", "auth_flow")
"""The functions of httpx and httpx2 that call an `httpx.Auth`."""
_PARTS: Final = ("raw", "bytes", "text", "lines")
READS: Final = ("read", "aread", *(f"{start}_{part}" for start in ("iter", "aiter") for part in _PARTS))
"""The methods by which a response of httpx or httpx2 reads its body, whole or in parts."""
_READS: Final = _functions(CLIENTS, *READS)


def _is_known(package: str) -> bool:
    """Returns whether a package is not the app's: one in `_LIBRARIES`, which has this one too, or a part of Python."""
    return package in _LIBRARIES or package in sys.stdlib_module_names
