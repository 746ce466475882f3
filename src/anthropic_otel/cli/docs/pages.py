"""Finds the package's documents: README, changelog, guides, those beside the configs, runbooks, and pages of causes.

Rule: a document has one name, which `docs` takes as its argument, and the path that it has in the repository.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from anthropic_otel.bundle import files

_PLACES: Final = (
    "README.md",
    "CHANGELOG.md",
    "docs/*.md",
    "dashboards/README.md",
    "collector-config/README.md",
    "collector-config/*/README.md",
    "docs/runbooks/*.md",
    "docs/why/*.md",
)
WHY: Final = "docs/why"
RUNBOOKS: Final = "docs/runbooks"
_TITLE: Final = re.compile(r"^# (.+)$", re.MULTILINE)
_COMMENT: Final = re.compile(r"\A<!--.*?-->\n+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Document:
    """A document of the package.

    - `name`: the argument by which `anthropic-otel docs` prints it, such as `usage`.
    - `path`: its path in the repository, such as `docs/usage.md`.
    """

    name: str
    path: str

    @property
    def text(self) -> str:
        """The document's Markdown, read from its file anew, without an HTML comment at the beginning."""
        return _COMMENT.sub("", files.source(self.path).read_text(encoding="utf-8"))

    @property
    def title(self) -> str:
        """The document's first heading of level one, without backticks; its name if there is none."""
        found = _TITLE.search(self.text)
        return found[1].replace("`", "") if found is not None else self.name

    @property
    def is_guide(self) -> bool:
        """Whether the document is neither a runbook nor the page of a cause. The overview of runbooks is a guide."""
        return str(PurePosixPath(self.path).parent) not in (RUNBOOKS, WHY) or self.name == "runbooks"


@functools.cache
def documents() -> dict[str, Document]:
    """Returns every document, by its path in the repository. Looks for them once per process."""
    return {each.path: each for each in _found()}


def _found() -> Iterator[Document]:
    root = files.root()
    for place in _PLACES:
        for path in sorted(root.glob(place)):
            relative = path.relative_to(root).as_posix()
            yield Document(_name(PurePosixPath(relative)), relative)


def _name(path: PurePosixPath) -> str:
    if path.stem == "README":
        return path.parent.name or "readme"
    return "changelog" if path.stem == "CHANGELOG" else path.stem


def find(wanted: str) -> Document | None:
    """Returns the document that `wanted` names, `None` if there is none.

    `wanted` is the document's name, with or without `.md`, its path in the repository or, for a README, its folder.
    Case and, around `wanted`, blanks, a `./` before and any `/` after it are ignored.
    """
    word = wanted.strip().removeprefix("./").rstrip("/").lower()
    for each in documents().values():
        if word in (each.name.lower(), each.path.lower(), f"{each.name.lower()}.md"):
            return each
    return next((each for each in documents().values() if each.path.lower() == f"{word}/readme.md"), None)


def nearest(wanted: str) -> list[str]:
    """Returns the document names that are similar to `wanted`: at most three, the most similar first.

    Case is ignored. The list is empty if no name is similar.
    """
    by_lower = {each.name.lower(): each.name for each in documents().values()}
    return [by_lower[each] for each in difflib.get_close_matches(wanted.lower(), by_lower, n=3)]
