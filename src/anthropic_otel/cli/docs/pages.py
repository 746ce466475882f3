"""The documents that come with the package: the README, the guides, what belongs to the configs, runbooks, causes.

Rule: a document is known by one name, and is where a reader of the repository would look for it.
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
    """A document. `path` is the one that it has in the repository; `name` is what the command calls it."""

    name: str
    path: str

    @property
    def text(self) -> str:
        """Its Markdown."""
        return _COMMENT.sub("", files.source(self.path).read_text(encoding="utf-8"))

    @property
    def title(self) -> str:
        """Its first heading."""
        found = _TITLE.search(self.text)
        return found[1].replace("`", "") if found is not None else self.name

    @property
    def is_guide(self) -> bool:
        """Whether it is neither one of the many runbooks nor one of the many causes."""
        return str(PurePosixPath(self.path).parent) not in (RUNBOOKS, WHY) or self.name == "runbooks"


@functools.cache
def documents() -> dict[str, Document]:
    """Every document by its path in the repository."""
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
    """The document of that name or path, in whatever case; `None` if there is none."""
    word = wanted.strip().removeprefix("./").rstrip("/").lower()
    for each in documents().values():
        if word in (each.name.lower(), each.path.lower(), f"{each.name.lower()}.md"):
            return each
    return next((each for each in documents().values() if str(PurePosixPath(each.path).parent).lower() == word), None)


def nearest(wanted: str) -> list[str]:
    """At most three names that look like it."""
    return difflib.get_close_matches(wanted.lower(), [each.name for each in documents().values()], n=3)
