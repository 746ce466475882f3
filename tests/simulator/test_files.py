"""The Files API from an upload to its deletion, as the real SDK uses it, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import anthropic
import httpx
import pytest

from anthropic_otel.simulator import Limits, Simulator

NOW: Final = 1_800_000_000.0
HEADERS: Final = {"x-api-key": "k", "anthropic-version": "2023-06-01"}


@pytest.fixture
def client(sim: Simulator) -> Iterator[anthropic.Anthropic]:
    """A client of the simulator that does not retry."""
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as each:
        yield each


@pytest.fixture
def http(sim: Simulator) -> Iterator[httpx.Client]:
    """What has no SDK between: any form can be sent."""
    with httpx.Client(base_url=sim.base_url, headers=HEADERS) as each:
        yield each


def _files(client: anthropic.Anthropic) -> Any:
    """They are no beta any more, but older SDKs have them as one, and the oldest have none."""
    found = getattr(client, "files", None) or getattr(client.beta, "files", None)
    if found is None:
        pytest.skip("this SDK has no files")
    return found


def _upload(client: anthropic.Anthropic, name: str = "a.txt", content: bytes = b"hello") -> Any:
    return _files(client).upload(file=(name, content, "text/plain"))


def test_a_file_is_uploaded_described_and_deleted(client: anthropic.Anthropic) -> None:
    """It has an id, its name, type and size, and is gone in the end."""
    files = _files(client)
    file = _upload(client)
    assert file.id.startswith("file_01")
    assert (file.filename, file.mime_type, file.size_bytes, file.downloadable) == ("a.txt", "text/plain", 5, False)
    assert files.retrieve_metadata(file.id).to_dict() == file.to_dict()
    deleted = files.delete(file.id)
    assert (deleted.id, deleted.type) == (file.id, "file_deleted")
    for use in (files.retrieve_metadata, files.delete, files.download):
        with pytest.raises(anthropic.NotFoundError) as raised:
            use(file.id)
        body = raised.value.response.json()
        assert body["error"] == {"type": "not_found_error", "message": f"File not found: {file.id}"}
        assert body["request_id"] == raised.value.request_id
    assert list(files.list()) == []


def test_an_upload_cannot_be_downloaded(client: anthropic.Anthropic) -> None:
    """The API gives back only what its own tools have made."""
    with pytest.raises(anthropic.BadRequestError) as raised:
        _files(client).download(_upload(client).id)
    error = raised.value.response.json()["error"]
    assert error["message"] == "File is not downloadable"
    assert error["details"] == {"error_code": "file_not_downloadable"}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20])
def test_an_sdk_pages_through_the_files_from_the_latest_on(client: anthropic.Anthropic, size: int) -> None:
    """Older SDKs page by ids, newer ones by the cursor of the page before; each file comes once."""
    made = [_upload(client, f"{number}.txt").id for number in range(7)][::-1]
    assert [file.id for file in _files(client).list(limit=size)] == made


def test_a_page_can_be_read_in_either_way(client: anthropic.Anthropic, http: httpx.Client) -> None:
    """By a cursor, or by the ids at its ends; or some files are listed by their ids."""
    made = [_upload(client, f"{number}.txt").id for number in range(5)][::-1]
    first = http.get("/v1/files", params={"limit": 2}).json()
    assert ([each["id"] for each in first["data"]], first["has_more"]) == (made[:2], True)
    assert (first["first_id"], first["last_id"]) == (made[0], made[1])
    second = http.get("/v1/files", params={"limit": 3, "page": first["next_page"]}).json()
    assert ([each["id"] for each in second["data"]], second["next_page"]) == (made[2:], None)
    before = http.get("/v1/files", params={"limit": 1, "before_id": made[2]}).json()
    assert [each["id"] for each in before["data"]] == [made[1]]
    some = http.get("/v1/files", params={"ids[]": [made[4], "file_none", made[0]]}).json()
    assert ([each["id"] for each in some["data"]], some["next_page"]) == ([made[0], made[4]], None)
    empty = http.get("/v1/files", params={"ids[]": "file_none"}).json()
    assert empty == {"data": [], "has_more": False, "first_id": None, "last_id": None, "next_page": None}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"limit": 0}, "limit: Input should be greater than or equal to 1"),
        ({"limit": 1001}, "limit: Input should be less than or equal to 1000"),
        ({"page": "page_none"}, "page: "),
        ({"page": "page_none", "after_id": "x"}, "page: "),
        ({"ids[]": "x", "limit": 1}, "ids: "),
        ({"ids[]": [f"file_{number}" for number in range(101)]}, "ids: List should have at most 100 items"),
    ],
)
def test_a_page_that_there_is_not_is_refused(http: httpx.Client, query: dict[str, Any], said: str) -> None:
    """Wrong sizes and unknown places get a 400."""
    response = http.get("/v1/files", params=query)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(said)


FORMS: Final[dict[str, tuple[dict[str, Any], int, str]]] = {
    "no form": ({"content": b"hello"}, 400, "The request body is not valid multipart/form-data"),
    "JSON": ({"json": {"file": "hello"}}, 400, "The request body is not valid multipart/form-data"),
    "no file": ({"files": {"expires_in_seconds": (None, "3600")}}, 400, "file: Field required"),
    "another part": ({"files": {"file": ("a", b""), "purpose": (None, "x")}}, 400, "purpose: Extra inputs"),
    "a short life": (
        {"files": {"file": ("a", b""), "expires_in_seconds": (None, "3599")}},
        400,
        "expires_in_seconds: ",
    ),
    "a long life": (
        {"files": {"file": ("a", b""), "expires_in_seconds": (None, "7776001")}},
        400,
        "expires_in_seconds",
    ),
    "a life in words": ({"files": {"file": ("a", b""), "expires_in_seconds": (None, "1h")}}, 400, "expires_in_seconds"),
    "a name that no system has": ({"files": {"file": ("a*b.txt", b"")}}, 400, "file: "),
    "a long name": ({"files": {"file": ("a" * 256, b"")}}, 400, "file: "),
}


@pytest.mark.parametrize(("form", "status", "said"), FORMS.values(), ids=FORMS)
def test_a_form_that_is_no_upload_is_refused(http: httpx.Client, form: dict[str, Any], status: int, said: str) -> None:
    """With the API's error object, and nothing is stored."""
    response = http.post("/v1/files", **form)
    assert (response.status_code, response.json()["error"]["type"]) == (status, "invalid_request_error")
    assert response.json()["error"]["message"].startswith(said)
    assert http.get("/v1/files").json()["data"] == []


@pytest.mark.parametrize(
    "body",
    [b"", b"--b", b"--b--", b"--b\r\n\r\n", b"--b\r\nx", b"\r\n--b\r\n\r\nx\r\n--b", b"--b\r\ncontent-disposition: x"],
)
def test_a_form_that_is_cut_is_refused(http: httpx.Client, body: bytes) -> None:
    """It gets a 400, wherever it ends."""
    response = http.post("/v1/files", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (("dir/sub/report.pdf", b"", "application/pdf"), ("report.pdf", "application/pdf")),
        (("", b"", "application/pdf"), ("unnamed.pdf", "application/pdf")),
        (("dir/", b"", "application/x-own"), ("unnamed", "application/x-own")),
        (("größe.csv", b""), ("größe.csv", "text/csv")),
    ],
)
def test_a_file_has_the_last_part_of_its_name(http: httpx.Client, sent: Any, kept: tuple[str, str]) -> None:
    """One without a name gets one by its type."""
    shown = http.post("/v1/files", files={"file": sent}).json()
    assert (shown["filename"], shown["mime_type"]) == kept


def test_a_file_expires() -> None:
    """It is still described, but its content is gone."""
    now = [NOW]
    with Simulator(clock=lambda: now[0]) as sim, httpx.Client(base_url=sim.base_url, headers=HEADERS) as http:
        form: Any = {"file": ("a", b"x"), "expires_in_seconds": (None, "3600")}
        shown = http.post("/v1/files", files=form).json()
        assert (shown["created_at"], shown["expires_at"]) == ("2027-01-15T08:00:00Z", "2027-01-15T09:00:00Z")
        now[0] += 3_600
        content = http.get(f"/v1/files/{shown['id']}/content")
        assert (content.status_code, content.json()["error"]["details"]) == (404, {"error_code": "file_expired"})
        assert http.get(f"/v1/files/{shown['id']}").json() == shown


@pytest.mark.parametrize("kind", ["document", "image", "container_upload", "tool_result"])
def test_a_message_refers_to_files_that_there_are(client: anthropic.Anthropic, kind: str) -> None:
    """A request with one that was uploaded is answered, and one with another is a 404."""
    file = _upload(client)
    for name, refused in ((file.id, False), ("file_none", True)):
        source = {"type": "document" if kind == "tool_result" else kind, "source": {"type": "file", "file_id": name}}
        messages: list[Any] = [{"role": "user", "content": [source]}]
        if kind == "container_upload":
            messages[0]["content"] = [{"type": "container_upload", "file_id": name}]
        if kind == "tool_result":
            use = {"type": "tool_use", "id": "u", "name": "t", "input": {}}
            result = {"type": "tool_result", "tool_use_id": "u", "content": [source]}
            messages = [
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": [use]},
                {"role": "user", "content": [result]},
            ]
        body = {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": messages}
        if not refused:
            assert client.post("/v1/messages", body=body, cast_to=object)
            continue
        with pytest.raises(anthropic.NotFoundError) as raised:
            client.post("/v1/messages", body=body, cast_to=object)
        assert raised.value.response.json()["error"]["message"] == "File not found: file_none"


def test_a_rate_limit_that_turns_an_upload_away_leaves_the_files_as_they_are() -> None:
    """What got a 429 was not stored, and not deleted."""
    now = [NOW]
    with (
        Simulator(clock=lambda: now[0], limits=Limits(requests=1)) as sim,
        httpx.Client(base_url=sim.base_url, headers=HEADERS) as http,
    ):
        shown = http.post("/v1/files", files={"file": ("a", b"x")}).json()
        assert http.post("/v1/files", files={"file": ("b", b"x")}).status_code == 429
        assert http.delete(f"/v1/files/{shown['id']}").status_code == 429
        now[0] += 60
        assert [each["id"] for each in http.get("/v1/files").json()["data"]] == [shown["id"]]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/v1/files", 405),
        ("DELETE", "/v1/files", 405),
        ("POST", "/v1/files/f", 405),
        ("POST", "/v1/files/f/content", 405),
        ("GET", "/v1/files/f/other", 404),
    ],
)
def test_a_method_that_a_path_does_not_have_is_refused(http: httpx.Client, method: str, path: str, status: int) -> None:
    """A wrong method gets a 405, and a wrong path a 404."""
    assert http.request(method, path).status_code == status


@pytest.mark.parametrize("stream", [False, True])
def test_what_executed_code_has_made_can_be_downloaded(
    client: anthropic.Anthropic, http: httpx.Client, stream: bool
) -> None:
    """The reply names the file, and its container; the file is in the list, and is what the code has written."""
    files = _files(client)
    tool = {"type": "code_execution_20250825", "name": "code_execution"}
    body: dict[str, Any] = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 99,
        "messages": [{"role": "user", "content": "x"}],
        "tools": [tool],
    }
    if stream:
        with client.beta.messages.stream(**body) as events:
            message: Any = events.get_final_message()
    else:
        message = client.beta.messages.create(**body)
    use, result, text = (block.to_dict() for block in message.content)
    assert (use["name"], result["tool_use_id"], text["type"]) == ("bash_code_execution", use["id"], "text")
    assert message.to_dict()["container"]["id"].startswith("container_01")
    [output] = result["content"]["content"]
    [listed] = files.list()
    assert (listed.id, listed.filename, listed.downloadable) == (output["file_id"], "output.txt", True)
    assert files.download(listed.id).read() == b"simulated\n"
    content = http.get(f"/v1/files/{listed.id}/content")
    assert (content.headers["content-type"], content.content) == ("text/plain", b"simulated\n")
