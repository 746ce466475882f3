"""What an SDK that does not know Bedrock's errors makes of them, in the words that a call has for them.

Rule: the library has one word for an error, whichever SDK meets it: the one that the SDK's own tracing has for it.
"""

from __future__ import annotations

import re
from typing import Final

from anthropic_otel._core.semconv import BEDROCK_EXCEPTIONS
from support import errors
from support.stacks import Stack
from support.versions import NAMES_FRAME_ERRORS

_REFUSED: Final = "Bad response code, expected 200: "
_EXCEPTION: Final = re.compile(r"':exception-type': '(\w+)'")
_CODE: Final = re.compile(r"':error-code': '(\w+)'")


def is_frame_error(error: BaseException | None) -> bool:
    """Whether it is what an SDK raises for an `exception` or `error` frame that has no class of errors for it."""
    return not NAMES_FRAME_ERRORS and type(error) is ValueError and str(error).startswith(_REFUSED)


def call_error_type(error: BaseException, stack: Stack) -> str:
    """The `error.type` of a call that ends with `error`; of a frame without a class, the word of later SDKs."""
    return _word_of_frame(str(error)) if is_frame_error(error) else errors.call_error_type(error, stack)


def _word_of_frame(frame: str) -> str:
    exception = _EXCEPTION.search(frame)
    named = exception or _CODE.search(frame)
    if named is None:
        # An exception without a name, as one that botocore does not know.
        assert "':message-type': 'exception'" in frame, frame
        return "client_error"
    told = named[1]
    if told in BEDROCK_EXCEPTIONS:
        return str(told)
    # An exception that botocore does not know has no name to later SDKs.
    return "client_error" if exception else "_OTHER"
