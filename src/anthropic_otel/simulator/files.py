"""Files: uploaded, listed, described, deleted; and downloaded, if a tool of the API has made them.

The shapes are those of the SDK's `types/file_metadata.py`, `types/file_list_params.py` and `types/deleted_file.py`. The
Files API needs no beta header since August 2026; with `files-api-2025-04-14`, which older SDKs send, it is the same.

Rule: of a file that was uploaded only its size is kept, as the API never gives its content back.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

from anthropic_otel.simulator.answers import Answer, Refused, Whole
from anthropic_otel.simulator.bodies import invalid
from anthropic_otel.simulator.headers import Ids
from anthropic_otel.simulator.multipart import Part, parts_of
from anthropic_otel.simulator.paging import page
from anthropic_otel.simulator.timestamps import written
from anthropic_otel.simulator.wire import Json

_MOST_BYTES: Final = 500 * 1024 * 1024
_MOST_FILES: Final = 10_000
_MOST_IDS: Final = 100
_LEAST_LIFE: Final = 3_600
_MOST_LIFE: Final = 7_776_000
_FORBIDDEN: Final = re.compile(r'[<>:"|?*\\\x00-\x1f]')
_ANY: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class _File:
    id: str
    created: float
    name: str
    kind: str
    size: int
    expires: float | None = None
    content: bytes | None = None


class Files:
    """The files of the account, the latest first: the 10,000 that were made last.

    `ids` makes their ids, and `now` returns the time in seconds since the epoch. What an answer creates or deletes is
    so once its `change` was called.
    """

    def __init__(self, ids: Ids, now: Callable[[], float]) -> None:
        self._ids = ids
        self._now = now
        self._files: dict[str, _File] = {}

    def has(self, name: str) -> bool:
        """Returns whether there is a file of that id, also one whose time is over."""
        return name in self._files

    def made(self, name: str, content: bytes) -> tuple[str, Callable[[], None]]:
        """Returns the id of a new file that a tool of the API makes, and a function that adds it to the files.

        Its content can be downloaded. `name` is the file's name.
        """
        file = _File(self._ids.new("file"), self._now(), name, _kind_of(name, ""), len(content), content=content)
        return file.id, lambda: self._add(file)

    def upload(self, content_type: str, body: bytes) -> Whole | Refused:
        """Returns a new file made of a form, or the API's refusal of it: status 413 for more than 500 MB, else 400.

        The form has a part `file`, and may have `expires_in_seconds`, from an hour to 90 days. The file's name is the
        last component of the part's `filename`; if that is empty, it is `unnamed` and an extension. A longer one than
        255 characters is refused, and one with a character of `_FORBIDDEN`. What is refused is documented; the words
        are ours.
        """
        parts = parts_of(content_type, body)
        if parts is None:
            return invalid("The request body is not valid multipart/form-data")
        fields = {part.name: part for part in parts}
        for other in fields.keys() - {"file", "expires_in_seconds"}:
            return invalid(f"{other}: Extra inputs are not permitted")
        if "file" not in fields:
            return invalid("file: Field required")
        life = _life(fields.get("expires_in_seconds"))
        if isinstance(life, Refused):
            return life
        kind = fields["file"].content_type
        name = _name_of(fields["file"].filename or "", kind)
        if isinstance(name, Refused):
            return name
        size = len(fields["file"].data)
        if size > _MOST_BYTES:
            return Refused(413, "request_too_large", "File exceeds the maximum size of 500 MB")
        created = self._now()
        expires = None if life is None else created + life
        file = _File(self._ids.new("file"), created, name, _kind_of(name, kind), size, expires)
        return Whole(_shown(file), change=lambda: self._add(file))

    def listed(self, target: str) -> Whole | Refused:
        """Returns the page of the files that the query of a request's target asks for, or a refusal (400) of the query.

        The query has one of these: `page`, which an earlier page has named as its `next_page`; `after_id` or
        `before_id`; `ids`, at most 100, for those of these files that there are, as a single page; or none, for the
        first page. It may have a `limit` too, but not with `ids`. The latest file comes first.
        """
        query = parse_qs(urlsplit(target).query)
        shown = [_shown(file) for file in reversed(self._files.values())]
        ids = {each for name in ("ids", "ids[]") for value in query.get(name, ()) for each in value.split(",")}
        if not ids:
            return page(shown, target, cursors=True)
        if query.keys() & {"page", "limit", "after_id", "before_id"}:
            return invalid("ids: may not be combined with page, limit, after_id or before_id")
        if len(ids) > _MOST_IDS:
            return invalid(f"ids: List should have at most {_MOST_IDS} items after validation, not {len(ids)}")
        found = [each for each in shown if each["id"] in ids]
        return page(found, f"?limit={_MOST_IDS}", cursors=True)

    def metadata(self, name: str) -> Whole | Refused:
        """Returns what the API says about the file of that id; a 404 if there is none."""
        return Whole(_shown(self._files[name])) if name in self._files else not_found(name)

    def content(self, name: str) -> Answer:
        """Returns the content of a file that the API has made; a 400 for one that was uploaded, and a 404 for none.

        It is a 404 too once the file has expired. The codes are those of the SDK's `types/file_not_downloadable_error`
        and `types/file_expired_error.py`; the words of the latter are ours.
        """
        file = self._files.get(name)
        if file is None:
            return not_found(name)
        if file.expires is not None and self._now() >= file.expires:
            return Refused(404, "not_found_error", f"File has expired: {name}", code="file_expired")
        if file.content is None:
            return Refused(400, "invalid_request_error", "File is not downloadable", code="file_not_downloadable")
        headers = (("content-type", file.kind), ("content-disposition", f'attachment; filename="{file.name}"'))
        return Whole({}, headers=headers, body=file.content)

    def delete(self, name: str) -> Whole | Refused:
        """Returns that the file of that id is deleted; a 404 if there is none."""
        if name not in self._files:
            return not_found(name)
        return Whole({"id": name, "type": "file_deleted"}, change=lambda: self._drop(name))

    def _add(self, file: _File) -> None:
        self._files[file.id] = file
        if len(self._files) > _MOST_FILES:
            self._drop(next(iter(self._files)))

    def _drop(self, name: str) -> None:
        self._files.pop(name, None)


def not_found(name: str) -> Refused:
    """Returns the API's refusal (404) of a request for a file that does not exist; `name` is its id."""
    return Refused(404, "not_found_error", f"File not found: {name}")


def references(body: Json) -> Iterator[str]:
    """Yields the ids of the files that a Messages body refers to, in `container_upload` and in sources of `file`."""
    for message in body["messages"]:
        for block in _blocks(message.get("content")):
            yield from _named(block)
            for inner in _blocks(block.get("content")):
                yield from _named(inner)


def _blocks(content: object) -> list[Json]:
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _named(block: Json) -> Iterator[str]:
    source = block.get("source")
    holder = source if isinstance(source, dict) and source.get("type") == "file" else block
    name = holder.get("file_id") if holder is source or block.get("type") == "container_upload" else None
    if isinstance(name, str):
        yield name


def _shown(file: _File) -> Json:
    return {
        "type": "file",
        "id": file.id,
        "size_bytes": file.size,
        "created_at": written(file.created),
        "filename": file.name,
        "mime_type": file.kind,
        "downloadable": file.content is not None,
        "expires_at": written(file.expires),
    }


def _name_of(path: str, content_type: str) -> str | Refused:
    name = path.rpartition("/")[2]
    if not name:
        kind = content_type.partition(";")[0].strip() or _ANY
        return f"unnamed{mimetypes.guess_extension(kind) or ''}"
    if len(name) > 255:
        return invalid("file: Filename must be between 1 and 255 characters")
    if _FORBIDDEN.search(name):
        return invalid("file: Filename contains forbidden characters")
    return name


def _kind_of(name: str, content_type: str) -> str:
    """Returns the media type of a file: as the client wrote it, else by the file's name."""
    return content_type or mimetypes.guess_type(name)[0] or _ANY


def _life(part: Part | None) -> int | Refused | None:
    if part is None:
        return None
    text = part.data.decode("latin-1").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        return invalid("expires_in_seconds: Input should be a valid integer, unable to parse string as an integer")
    if int(text) < _LEAST_LIFE:
        return invalid(f"expires_in_seconds: Input should be greater than or equal to {_LEAST_LIFE}")
    if int(text) > _MOST_LIFE:
        return invalid(f"expires_in_seconds: Input should be less than or equal to {_MOST_LIFE}")
    return int(text)
