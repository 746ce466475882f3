"""Finds the page that explains a word of the telemetry, by the page's file name or by its further words.

For an attribute or a metric without a page, one is made of the schema; that of an alert is its runbook.

Rule: a page is Markdown that is readable as source: a title, what the word means, and sections with fixed headings. Its
first line may be `<!-- words: … -->`, which lists further words. The tests check that every value in the schema, such
as a cause or an outcome, has a page, and that no word has two.
"""

from __future__ import annotations

import difflib
import errno
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anthropic_otel._core.cause import classify
from anthropic_otel._core.instruments import METRICS
from anthropic_otel._core.semconv import OTHER
from anthropic_otel.bundle import files
from anthropic_otel.cli.why.schema import ATTRIBUTES

FOLDER: Final = "docs/why"
_RUNBOOKS: Final = "docs/runbooks"
_WORDS: Final = re.compile(r"\A<!-- words: ([^>]*?) -->\n+")
_HEADING: Final = re.compile(r"^## (.+)\n", re.MULTILINE)
_STATUS: Final = re.compile(r"[3-5]\d\d")

LIKELY, CHECK, FIX = "Likely", "Check", "Fix"
"""The headings of the sections that a page in short has."""


@dataclass(frozen=True)
class Page:
    """A page that explains a word.

    - `word`: the word; if the page is a file, its name without the ending. `words`: all words that lead to the page.
    - `text`: its Markdown, without the line that lists the words.
    """

    word: str
    words: tuple[str, ...]
    text: str

    @property
    def meaning(self) -> str:
        """The first sentence below the title, without line breaks."""
        _, _, rest = self.text.partition("\n\n")
        paragraph = rest.partition("\n\n")[0].replace("\n", " ").strip()
        return re.split(r"(?<=[.?!]) ", paragraph, maxsplit=1)[0]

    def section(self, heading: str) -> str:
        """Returns the text below the heading `## {heading}`, up to the next such one; empty if there is none."""
        parts = _HEADING.split(self.text)
        return dict(zip(parts[1::2], parts[2::2], strict=True)).get(heading, "").strip()

    @property
    def likely(self) -> list[str]:
        """The likely reasons, in a few words each, the most likely first: the bold beginnings of the list `Likely`."""
        return re.findall(r"^\d+\. \*\*(.+?)\.?\*\*", self.section(LIKELY), re.MULTILINE)


@functools.cache
def pages() -> dict[str, Page]:
    """Returns the page of each word of each page, by word. Reads the files once per process."""
    return {word: page for page in _read() for word in page.words}


def _read() -> Iterator[Page]:
    for path in sorted(files.source(FOLDER).glob("*.md")):
        if path.stem != "README":
            yield _page(path)


def _page(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    further = _WORDS.match(text)
    words = tuple(further[1].split()) if further is not None else ()
    return Page(path.stem, (path.stem, *words), _WORDS.sub("", text))


def find(word: str) -> Page | None:
    """Returns the page of a word, `None` if there is none. Quotes, parentheses and punctuation around it are ignored.

    `word` may be a word of a page, such as an exception's class, with or without a module before it, an HTTP status
    from 300 to 599, or the name of a system error; case does not count in these. It may also be the exact name of an
    attribute, a metric or an alert, the first two also as Prometheus has them.
    """
    name = word.strip().strip("`'\".,:;()")
    known = pages()
    by_lower = {each.lower(): page for each, page in known.items()}
    return (
        known.get(name)
        or by_lower.get(name.lower())
        or by_lower.get(name.rpartition(".")[2].lower())
        or _of_status(name)
        or _of_errno(name)
        or _of_schema(name)
        or _runbook(name)
    )


def _of_status(name: str) -> Page | None:
    return pages().get(f"{name[0]}xx") if _STATUS.fullmatch(name) else None


def _of_errno(name: str) -> Page | None:
    """Returns the page of the cause that a system error with that name has; `None` if no cause is known for it.

    The name is one of `errno` in any case, or begins with `EAI_`: all of these have the same cause. Returns `None` for
    any other name.
    """
    import socket

    number = getattr(errno, name.upper(), None)
    if isinstance(number, int) and name.upper() in errno.errorcode.values():
        word = classify(OSError(number, "")).word.value
    elif name.upper().startswith("EAI_"):
        word = classify(socket.gaierror(0, "")).word.value
    else:
        return None
    return pages().get(word) if word != OTHER else None


def _of_schema(name: str) -> Page | None:
    """Returns a new page with the schema's description of the attribute or metric `name`, `None` if there is none.

    `name` may be the name in Prometheus, of a histogram's series too.
    """
    for each in ATTRIBUTES:
        if name in (each.name, each.name.replace(".", "_")):
            text = f"# {each.name}\n\n{each.description}\n\n- On: {each.on}\n- When: {each.when}\n- Type: {each.type}\n"
            return Page(each.name, (each.name,), text)
    for metric in METRICS:
        if name == metric.name or re.fullmatch(rf"{metric.prometheus_name}(?:_bucket|_sum|_count)?", name):
            attributes = "".join(f"\n  - `{each}`" for each in metric.attributes)
            kind = metric.instrument.value.replace("_", " ") + (f", {metric.unit}" if metric.unit else "")
            facts = f"- In Prometheus: `{metric.prometheus_name}`\n- Instrument: {kind}\n- Attributes:\n{attributes}\n"
            return Page(metric.name, (metric.name,), f"# {metric.name}\n\n{metric.description}\n\n{facts}")
    return None


def _runbook(name: str) -> Page | None:
    """Returns the runbook of the alert `name` as a page, `None` if there is none. Case counts."""
    path = {each.stem: each for each in files.source(_RUNBOOKS).glob("Anthropic*.md")}.get(name)
    return Page(name, (name,), path.read_text(encoding="utf-8")) if path is not None else None


def nearest(word: str) -> list[str]:
    """Returns at most five words with pages: first those similar to `word`, the most similar first.

    Then come those that contain it, if it has at least three characters. Case is ignored.
    """
    known = sorted(pages())
    wanted = word.lower()
    by_lower = {each.lower(): each for each in known}
    close = [by_lower[each] for each in difflib.get_close_matches(wanted, by_lower, n=5, cutoff=0.55)]
    parts = [each for each in known if len(wanted) > 2 and wanted in each.lower()]
    return list(dict.fromkeys([*close, *parts]))[:5]
