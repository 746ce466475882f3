"""Prints the page of a word, and the failures that were found in a text.

Rule: of a word's page, a terminal gets the Markdown laid out, and a pipe the Markdown itself, which is readable as
source.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from anthropic_otel._render.styled import Line, Piece, Style
from anthropic_otel._render.terminal import Terminal
from anthropic_otel.bundle import pages as bundle_pages
from anthropic_otel.cli.docs.links import resolved
from anthropic_otel.cli.docs.pages import RUNBOOKS, WHY, documents
from anthropic_otel.cli.why.chains import Failure
from anthropic_otel.cli.why.pages import CHECK, FIX, Page, pages

_BARE: Final = (
    "The text has only the sentence of the SDK, which never says why. Log the exception with its traceback "
    "(logging.exception), or let anthropic_otel.instrument() log each failed attempt. Now: anthropic-otel doctor"
)
_NOTHING: Final = (
    "Nothing in it looks like a failure of the Anthropic SDK or of the network.",
    "It takes tracebacks, also within JSON logs, lines that name an exception, and this library's own log lines.",
)
_MOST: Final = 100
_LONGEST: Final = 60
"""The most characters of an unknown word that are repeated in the message."""


def show_page(terminal: Terminal, page: Page, native: bool) -> None:
    """Prints the page. Its links are rewritten for a machine without the repository.

    Queries on histograms in it are written for native ones if `native`, else for classic ones. Without `native`, a hint
    at the other form follows if the page has such a query.
    """
    folder = RUNBOOKS if f"{RUNBOOKS}/{page.word}.md" in documents() else WHY
    text = bundle_pages.document(page.text) if native else page.text
    if not native and bundle_pages.has_query(page.text):
        text = f"{text.rstrip()}\n\nFor native histograms: `anthropic-otel why {page.word} --histograms native`\n"
    terminal.markdown(resolved(text, f"{folder}/{page.word}.md"))


def show_words(terminal: Terminal, pages: Iterable[Page]) -> None:
    """Prints a line for each page with all of its words. On a terminal, lines are wrapped to the width."""
    for page in pages:
        words = " ".join(page.words)
        lines = _wrapped(words, terminal.width, "", "    ") if terminal.is_screen else [words]
        terminal.lines((Piece(line),) for line in lines)


def show_failures(terminal: Terminal, found: Counter[Failure], cut: bool) -> None:
    """Prints the failures with their counts, grouped by their word, and after each group its word's page in short.

    The most frequent group comes first, and in a group the most frequent failure. If nothing was found, prints what the
    command can read. `cut` is whether the text was longer than what was read; then a line at the end says so.
    """
    width = min(terminal.width, _MOST)
    if not found:
        terminal.lines([(Piece(line),) for text in _NOTHING for line in _wrapped(text, width, "", "")])
    for number, (word, failures) in enumerate(_by_word(found)):
        terminal.lines([()] * bool(number))
        for failure, count in failures:
            terminal.lines(_headline(failure, count, width))
        terminal.lines(_digest(word, width))
    if cut:
        terminal.text("\nOnly the first 8 MB were read.", Style.QUIET)


def _by_word(found: Counter[Failure]) -> list[tuple[str | None, list[tuple[Failure, int]]]]:
    groups: dict[str | None, list[tuple[Failure, int]]] = {}
    for failure, count in found.most_common():
        groups.setdefault(failure.word, []).append((failure, count))
    return sorted(groups.items(), key=lambda group: -sum(count for _, count in group[1]))


def _headline(failure: Failure, count: int, width: int) -> list[Line]:
    beneath = [f"under it: {failure.beneath}"] if failure.beneath else []
    errno = [failure.errno] if failure.errno and failure.errno not in failure.shown + failure.beneath else []
    begin, rest = f"{count} × {failure.shown}", "   ".join([*beneath, *errno])
    if len(begin) + len(rest) + 3 <= width or not rest:
        whole = _wrapped(begin, width, "", "    ") if len(begin) > width else [begin]
        lines: list[Line] = [(Piece(each, Style.BAD),) for each in whole]
        return [(*lines[0], Piece(f"   {rest}"))] if rest else lines
    return [
        *((Piece(each, Style.BAD),) for each in _wrapped(begin, width, "", "    ")),
        *((Piece(each),) for each in _wrapped(rest, width, "    ", "    ")),
    ]


def _digest(word: str | None, width: int) -> list[Line]:
    """Returns a word's page in short: the word and its meaning, likely reasons, what to check and how to fix it.

    The last line is the command that prints the page. For `None`, and for a word without a page, returns a hint how to
    log the cause.
    """
    page = pages().get(word) if word is not None else None
    if page is None:
        return [(Piece(each),) for each in _wrapped(_BARE, width, "", "")]
    lines: list[Line] = []
    for number, each in enumerate(_wrapped(f"{page.word}: {_plain(page.meaning)}", width, "", "  ")):
        head, colon, tail = each.partition(": ") if not number else ("", "", each)
        lines.append((Piece(head + colon, Style.STRONG), Piece(tail)))
    likely = "  ".join(f"{number} {_plain(each).rstrip('.,:')}" for number, each in enumerate(page.likely, 1))
    lines += _labelled("Likely", likely, width)
    for label in (CHECK, FIX):
        lines += _in_short(label, page.section(label), width)
    return [*lines, *_labelled("More", f"anthropic-otel why {page.word}", width)]


def _labelled(label: str, text: str, width: int) -> Iterator[Line]:
    for number, each in enumerate(_wrapped(text, width - 10, "", "")):
        yield Piece(f"  {label if not number else '':<8}", Style.CALL), Piece(each)


def _in_short(label: str, section: str, width: int) -> Iterator[Line]:
    """Yields the lines of a Markdown section in short, with `label` before the first line.

    They are the first two sentences of its first paragraph, where a colon before a capital ends a sentence too. If
    these end with a colon, or the section begins with a block of code, the command follows: the first line of its first
    `sh` block, not wrapped, so that it can be copied. If there is no such block, the colon becomes a full stop. Of an
    empty section there is one line, with the label alone.
    """
    paragraph, _, _ = section.partition("\n\n")
    command = re.search(r"^```sh\n(.*)$", section, re.MULTILINE)
    sentences = [] if paragraph.startswith("```") else _sentences(_plain(paragraph.replace("\n", " ")))
    text = " ".join(sentences[:2])
    if command is not None and (text.endswith(":") or not text):
        if text:
            yield from _labelled(label, text, width)
        yield Piece(f"  {label if not text else '':<8}", Style.CALL), Piece(command[1], Style.GOOD)
    else:
        yield from _labelled(label, text[:-1] + "." if text.endswith(":") else text, width)


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.?!:]) (?=[A-Z])", text)


def _plain(text: str) -> str:
    """Returns Markdown without `**`, without backticks, and with the label in place of each link."""
    return re.sub(r"\*\*|`", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text))


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text, max(20, width), initial_indent=first, subsequent_indent=others, break_on_hyphens=False
    ) or [""]


def unknown(word: str, nearest: Iterable[str]) -> str:
    """Returns the error message for a word without a page: the word, cut to 60 characters, and suggestions.

    These are the words in `nearest`; if there are none, the option that lists every word.
    """
    close = ", ".join(nearest)
    return f"no page for {_cut(word)!r}" + (f". Did you mean: {close}" if close else "; --list has every word")


def _cut(word: str) -> str:
    return word if len(word) <= _LONGEST else f"{word[: _LONGEST - 3]}..."
