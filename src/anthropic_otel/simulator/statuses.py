"""Says what follows from the status of a response: the type of the API's error, and whether there is a body."""

from __future__ import annotations

from typing import Final

_ERROR_TYPES: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The API's error type by status. A status that is missing has `invalid_request_error` below 500, else `api_error`."""

BODILESS: Final = (204, 304)
"""The statuses from 200 on whose responses never have a body (RFC 9110, 6.4.1)."""


def error_type_of(status: int) -> str:
    """Returns the type that the API's error has with this status by default."""
    return _ERROR_TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")
