"""Rewrites a document's links for a machine that has the package but not its repository.

A link to a file of the repository becomes the command that prints that document. If there is none, it becomes a note
that `bundle` writes the file, or else the file's address in the repository.

Rule: fenced blocks of code are left as they are, and no inline link to a missing file remains. A link with a title is
not recognised, so the documents have none.
"""

from __future__ import annotations

import posixpath
import re
from functools import partial
from importlib.metadata import PackageNotFoundError, metadata
from typing import Final

from anthropic_otel.bundle import files
from anthropic_otel.cli.docs.pages import WHY, documents

_FENCE: Final = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_PICTURE: Final = re.compile(r"<picture>.*?</picture>\n*", re.DOTALL)
_IMAGE: Final = re.compile(r"!\[([^\]]*)\]\([^)\s]+\)")
_LINK: Final = re.compile(r"\[([^\]]+)\]\((?!https?:|mailto:)([^)\s]+)\)")
_HEADING: Final = "#"


def resolved(text: str, path: str, repository: str | None = None) -> str:
    """Returns the Markdown `text` with relative links replaced by text, and images by their alternative texts.

    A link within the document becomes its label. Any other relative link becomes its label and, in parentheses, where a
    reader finds the target, as `_where` says; only the latter if the label is the target. Fenced blocks of code and
    links to `http`, `https` and `mailto` are kept; `<picture>` elements are removed. `path` is the document's path in
    the repository, `repository` the repository's address; `None` takes that from the package's metadata.
    """
    address = _repository() if repository is None else repository
    parts = _FENCE.split(text)
    for at in range(0, len(parts), 2):  # the others are code
        part = _IMAGE.sub(r"\1", _PICTURE.sub("", parts[at]))
        parts[at] = _LINK.sub(partial(_here, folder=posixpath.dirname(path), repository=address), part)
    return "".join(parts)


def _here(link: re.Match[str], folder: str, repository: str) -> str:
    label, target = link[1], link[2].partition(_HEADING)[0]
    if not target:
        return label
    path = posixpath.normpath(posixpath.join(folder, target))
    where = _where(path, repository)
    return where if label.strip("`") in (target, path) else f"{label} ({where})"


def _where(path: str, repository: str) -> str:
    """Returns, as Markdown text, where a reader finds the file or folder at `path` of the repository.

    The text is the command that prints or lists it, or a note that `bundle` writes it, or its address below the URL
    `repository`. With an empty `repository`, the last is a note that the path is in the repository.
    """
    document = documents().get(path) or documents().get(f"{path}/README.md")
    if document is not None and posixpath.dirname(document.path) == WHY:
        return f"`anthropic-otel why {document.name}`"
    if document is not None:
        return f"`anthropic-otel docs {document.name}`"
    if path == WHY:
        return "`anthropic-otel why --list`"
    if any(each == path or each.startswith(f"{path}/") for each in files.shipped()):
        return f"`{path}`, which `anthropic-otel bundle` writes"
    return f"{repository}/blob/main/{path}" if repository else f"`{path}` in the repository"


def _repository() -> str:
    """Returns the URL `Source` in the metadata of the installed package; empty if there is none."""
    try:
        urls = metadata("anthropic-otel").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    return next((url.partition(", ")[2] for url in urls if url.startswith("Source, ")), "")
