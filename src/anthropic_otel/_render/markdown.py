"""Markdown laid out for a terminal: headings, lists and code, in the styles of `theme`.

Rule: no background is set, so that it can be read on a light and on a dark one.
"""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown
from rich.text import Text


class _Heading(Heading):
    """At the left, without a box."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _Code(CodeBlock):
    """Indented by two, in one colour. No line is broken, so that what is copied from the terminal is whole."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = "\n".join(f"  {line}".rstrip() for line in str(self.text).rstrip().splitlines())
        yield Text(code, style="markdown.code_block", no_wrap=True, overflow="ignore")


class Page(Markdown):
    """A page."""

    elements = {**Markdown.elements, "heading_open": _Heading, "fence": _Code, "code_block": _Code}  # noqa: RUF012
