"""Reads the source of an SDK, which need not be installed: its operations, its error codes, and the seams we rely on.

Rule: the source is parsed or searched, never imported, so that any version can be read beside the installed one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_METHODS: Final = {
    "_get": "GET",
    "_get_api_list": "GET",
    "_post": "POST",
    "_put": "PUT",
    "_patch": "PATCH",
    "_delete": "DELETE",
}


@dataclass(frozen=True)
class Seam:
    """A part of the SDK that is not documented and that the library uses: a pattern that a file of the SDK matches."""

    use: str
    file: str
    pattern: str


SEAMS: Final = (
    Seam("the boundary of a sync call", "_base_client.py", r"class SyncAPIClient\b(?s:.*?)\n    def request\("),
    Seam(
        "the boundary of an async call", "_base_client.py", r"class AsyncAPIClient\b(?s:.*?)\n {4}async def request\("
    ),
    Seam("the options as the second argument", "_base_client.py", r"cast_to: [^\n]*\n\s+options: FinalRequestOptions,"),
    Seam("the HTTP client of a client", "_base_client.py", r"\b_client: httpx2?\.AsyncClient\b"),
    Seam("the attempts of the HTTP client", "_base_client.py", r"self\._client\.send\("),
    Seam("which attempt a request is", "_base_client.py", r"(?i)[\"']x-stainless-retry-count[\"']"),
    Seam("the host that is called", "_base_client.py", r"def base_url\("),
    Seam("the retries of a client", "_base_client.py", r"\bmax_retries: int"),
    Seam("the middleware of a client", "_base_client.py", r"\bmiddleware\b"),
    *(
        Seam(f"the option {field} of a call", "_models.py", rf"class FinalRequestOptions\b(?s:.*?)\n    {field}:")
        for field in ("method", "url", "json_data", "max_retries", "span_name")
    ),
    Seam("the headers of a client", "_base_client.py", r"self\._custom_headers = custom_headers"),
    Seam("the client of a session's runner", "lib/tools/_beta_session_runner.py", r"helper=\"session-tool-runner\""),
    Seam("whether a client traces itself", "_client.py", r"\bopen_telemetry\b"),
    Seam("the response of a stream", "_streaming.py", r"\n    response: httpx2?\.Response"),
    Seam("the response below a raw one", "_response.py", r"\bhttp_response: httpx2?\.Response"),
    Seam("the words for errors", "_tracing.py", r"\ndef error_type\("),
    Seam("the API's error types", "types/shared/error_object.py", r"\bErrorObject\b"),
)


def version_of(sdk: Path) -> str:
    """The version of the SDK whose package is in that folder."""
    found = re.search(r'__version__ = "([^"]+)"', (sdk / "_version.py").read_text("utf-8"))
    assert found is not None, f"{sdk} has no version"
    return found[1]


def lost_seams(sdk: Path) -> list[Seam]:
    """The seams that this SDK has no longer, or has elsewhere."""
    return [seam for seam in SEAMS if not _matches(sdk / seam.file, seam.pattern)]


def _matches(path: Path, pattern: str) -> bool:
    return path.is_file() and re.search(pattern, path.read_text("utf-8")) is not None


def error_codes(sdk: Path) -> set[str]:
    """Every code that the SDK's types list for an error of the API: `error.details.error_code`."""
    sources = (path.read_text("utf-8") for path in (sdk / "types").rglob("*error_details.py"))
    return {code for source in sources for code in re.findall(r'error_code: Literal\["([^"]+)"\]', source)}


def operations(sdk: Path) -> set[str]:
    """`METHOD route name` of every request that a resource of the SDK makes, by the names of its own spans."""
    return {line for path in (sdk / "resources").rglob("*.py") for line in _operations_in(path)}


def _operations_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS):
            continue
        method = _http_method(node, node.func.attr)
        for options in (each for each in ast.walk(node) if isinstance(each, ast.Call) and _is_options(each)):
            told = {keyword.arg: keyword.value for keyword in options.keywords}
            name, route = told.get("span_name"), told.get("span_route")
            assert isinstance(name, ast.Constant), f"{path.name}:{options.lineno} names no operation"
            assert isinstance(route, ast.Constant), f"{path.name}:{options.lineno} names no route"
            yield f"{method} {route.value!s} {str(name.value).removeprefix('anthropic.')}"


def _http_method(call: ast.Call, function: str) -> str:
    """By the name of the method, unless a list says that it is had by another one."""
    told = next((keyword.value for keyword in call.keywords if keyword.arg == "method"), None)
    return str(told.value).upper() if isinstance(told, ast.Constant) else _METHODS[function]


def _is_options(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "make_request_options"
