"""Lays out Markdown for a terminal with rich: headings, lists and code, in the styles of `theme`.

Rule: no background is set, so that it can be read on a light and on a dark terminal.
"""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown
from rich.text import Text


class _Heading(Heading):
    """A heading at the left margin, without a box."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _Code(CodeBlock):
    """A block of code, indented by two, in one colour.

    Lines are not wrapped, so that they can be copied from the terminal.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = "\n".join(f"  {line}".rstrip() for line in str(self.text).rstrip().splitlines())
        yield Text(code, style="markdown.code_block", no_wrap=True, overflow="ignore")


class Page(Markdown):
    """Markdown that rich prints with these headings and blocks of code. The console must have a theme of `theme`."""

    elements = {**Markdown.elements, "heading_open": _Heading, "fence": _Code, "code_block": _Code}  # noqa: RUF012
