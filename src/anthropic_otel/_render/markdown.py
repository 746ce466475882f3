"""Lays out Markdown for a terminal with rich, in the styles of the module `theme`.

Rule: no background colour is set, so that the text can be read on a light and on a dark terminal.
"""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown
from rich.text import Text


class _Heading(Heading):
    """A heading of any level, printed at the left margin and without rich's box."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _Code(CodeBlock):
    """A block of code, indented by two columns, in the one style `markdown.code_block`.

    Lines are neither wrapped nor cut, so that they can be copied from the terminal.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = "\n".join(f"  {line}".rstrip() for line in str(self.text).rstrip().splitlines())
        yield Text(code, style="markdown.code_block", no_wrap=True, overflow="ignore")


class Page(Markdown):
    """rich's Markdown, with headings at the left margin and indented, unwrapped code.

    Its styles are those of the console's theme, which should be one of the module `theme`.
    """

    elements = {**Markdown.elements, "heading_open": _Heading, "fence": _Code, "code_block": _Code}  # noqa: RUF012
