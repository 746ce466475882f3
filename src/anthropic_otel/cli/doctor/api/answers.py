"""Judges a response: whether the API itself sent it, or something in between.

The API's own responses have a `request-id`. Without a key the right response is a 401 with one, which proves that the
API itself has answered. A response without one comes from a gateway, a proxy or a captive portal.

Rule: a response is good only if the API sent it, with a status that the API has for such a request: 401 without a key,
or 400 if a gateway adds one; 200 or 401 with the user's key.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from anthropic_otel._core.semconv import UNEXPECTED_CONTENT
from anthropic_otel.cli.doctor.api.base_url import NAME, Target
from anthropic_otel.cli.doctor.api.request import Answer
from anthropic_otel.cli.doctor.findings import Finding, bad, good, note
from anthropic_otel.testing import Attempt

_SUBJECT: Final = "HTTP"
_KEY: Final = "Key"
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _PROXY_WANTS, _TOO_MANY = 401, 403, 404, 407, 429


def judge(attempt: Attempt, answer: Answer, target: Target, seconds: float, *, with_key: bool) -> list[Finding]:
    """Returns the findings about a response: one about the connection and, at times, one about the user's key.

    `attempt` is what the library recorded of the request, `answer` the head of the response, `seconds` how long that
    took. `with_key` is whether the request was sent with the user's key. The second finding is there only for such a
    request, and if the API itself answered 200 or 401.
    """
    if attempt.error_type == UNEXPECTED_CONTENT:
        return [_portal(answer, seconds)]
    if answer.status == _PROXY_WANTS:
        text, remedy = "407: the proxy wants a user and a password", "HTTP_PROXY=http://user:password@host:port"
        return [bad(_SUBJECT, text, remedy, attempt.error_type, seconds)]
    if attempt.request_id is None:
        return [_not_the_api(attempt, answer, target, seconds)]
    text = f"{answer.status}, the API itself ({attempt.request_id})"
    return _with_key(attempt, answer, text, seconds) if with_key else [_without_key(attempt, answer, text, seconds)]


def host_of(location: str) -> str:
    """Returns the host of a URL, with the port if the URL has one; empty if it has no host or cannot be parsed."""
    try:
        parts = urlsplit(location)
        return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        return ""


def _portal(answer: Answer, seconds: float) -> Finding:
    what = "a page" if "html" in answer.headers.get("content-type", "") else "no answer of the API"
    text = f"{answer.status}, and {what}: a captive portal or login page stands in between"
    return bad(
        _SUBJECT, text, "log in there with a browser, or have the API's host excepted", UNEXPECTED_CONTENT, seconds
    )


def _without_key(attempt: Attempt, answer: Answer, text: str, seconds: float) -> Finding:
    if answer.status == _UNAUTHORIZED:
        return good(_SUBJECT, f"{text}; 401 is right, no key was sent", seconds)
    if 200 <= answer.status < 300:
        return note(_SUBJECT, f"{text} to an empty request, which the API refuses", "is it a stand-in for the API?")
    if answer.status == 400 and (attempt.api_error_type, attempt.api_error_code) == ("invalid_request_error", None):
        # A gateway that adds the key itself, so that the empty request came to the API with one.
        return good(_SUBJECT, f"{text}; a gateway adds the key", seconds)
    return _refused(attempt, answer, seconds)


def _with_key(attempt: Attempt, answer: Answer, text: str, seconds: float) -> list[Finding]:
    if answer.status == 200:
        return [good(_SUBJECT, text, seconds), good(_KEY, "the API takes it (GET /v1/models)")]
    if answer.status == _UNAUTHORIZED:
        remedy = "set a key that is active in the Console"
        fault = bad(_KEY, f"the API does not take it (401{_type(attempt)})", remedy, attempt.error_type)
        return [good(_SUBJECT, text, seconds), fault]
    return [_refused(attempt, answer, seconds)]


def _type(attempt: Attempt) -> str:
    return f", {attempt.api_error_type}" if attempt.api_error_type else ""


def _refused(attempt: Attempt, answer: Answer, seconds: float) -> Finding:
    """Returns the fault for a response that the API itself sent, but that is not the expected one.

    `seconds` is how long the response took.
    """
    text = f"{answer.status}{_type(attempt)}, by the API ({attempt.request_id})"
    return bad(_SUBJECT, text, _remedy_of(answer.status), attempt.error_type, seconds)


def _remedy_of(status: int) -> str:
    if status == _FORBIDDEN:
        return "the key, its workspace or this country may not use the API: show the request id to its support"
    if status == _NOT_FOUND:
        return f"is there a path in {NAME}? The SDK adds /v1/messages to it"
    if status == _TOO_MANY:
        return "the network is fine; your rate limit is used up: wait, or have it raised"
    if status >= 500:
        return "the network is fine; the API has a problem: https://status.claude.com"
    if 300 <= status < 400:
        return f"a redirect that the SDK does not follow: put its target into {NAME}"
    return "the network is fine; show the request id to the API's support"


def _not_the_api(attempt: Attempt, answer: Answer, target: Target, seconds: float) -> Finding:
    """Returns the finding about a response without the API's request id, which took `seconds`.

    The finding is a note if a gateway may have refused the request, which is so for a target other than Anthropic's API
    and a 4xx other than 403 and 404 that is no page. Else it is a fault.
    """
    who = _who(answer)
    page = "html" in answer.headers.get("content-type", "")
    text = f"{answer.status}{' and a page' if page else ''}, without the API's request id{who}"
    may_be_right = answer.status < 500 and answer.status not in (_FORBIDDEN, _NOT_FOUND) and not page
    if may_be_right and answer.status >= 400 and not target.is_default:
        remedy = "if that is your gateway, --with-key asks it for the API"
        return note(_SUBJECT, f"{text}: not known whether the API is behind it", remedy)
    if 300 <= answer.status < 400:
        text, remedy = f"{text}: a redirect that is not followed", f"put its target into {NAME}"
        return bad(_SUBJECT, text, remedy, attempt.error_type, seconds)
    return bad(_SUBJECT, text, _remedy_between(answer.status, target), attempt.error_type, seconds)


def _who(answer: Answer) -> str:
    """Returns the text ` (server: NAME)`, by the header `server`, or else `via`.

    NAME is what is before a slash or a blank. Empty if that is not a word of at most 24 letters, digits and hyphens.
    """
    server = answer.headers.get("server") or answer.headers.get("via", "")
    word = server.split("/")[0].split(" ")[0]
    return f" (server: {word})" if word.isascii() and word.replace("-", "").isalnum() and len(word) <= 24 else ""


def _remedy_between(status: int, target: Target) -> str:
    if not target.is_default:
        return f"look at the gateway at {target.shown}: its log, its address in {NAME}, its own key"
    if status >= 500:
        return "an edge or proxy could not reach the API: try again, then ask who runs it"
    return "a proxy, firewall or gateway answers in the API's place: ask who runs it to let the API's host through"
