"""Markdown laid out for a terminal: headings, lists and code without a background, in colours of the terminal's own.

Rule: readable on a light and on a dark background, so that no colour is set but the terminal's own, and no background.
"""

from __future__ import annotations

from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown
from rich.text import Text
from rich.theme import Theme

STYLES: Final = Theme(
    {
        "markdown.code": "cyan",
        "markdown.item.bullet": "dim",
        "markdown.item.number": "dim",
        "markdown.h1": "bold",
        "markdown.h2": "bold cyan",
        "markdown.h3": "bold",
        "markdown.link": "cyan",
        "markdown.link_url": "underline",
    }
)
"""The styles of `Page`."""


class _Heading(Heading):
    """At the left, without a box."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _Code(CodeBlock):
    """Indented by two, in one colour. No line is broken, so that what is copied from the terminal is whole."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = "\n".join(f"  {line}".rstrip() for line in str(self.text).rstrip().splitlines())
        yield Text(code, style="green", no_wrap=True, overflow="ignore")


class Page(Markdown):
    """A page."""

    elements = {**Markdown.elements, "heading_open": _Heading, "fence": _Code, "code_block": _Code}  # noqa: RUF012
