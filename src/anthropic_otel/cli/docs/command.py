"""The command `docs`: prints one document, or the list of guides."""

from __future__ import annotations

import click

from anthropic_otel._render.styled import Piece, Style
from anthropic_otel._render.terminal import Terminal
from anthropic_otel.cli.docs import links, pages


@click.command(short_help="Print a document of this version.")
@click.argument("name", required=False)
def docs(name: str | None) -> None:
    """Print a document; without NAME, list the guides.

    The documents are those of this version. A terminal gets them laid out, a pipe gets Markdown.

    \b
    Examples: anthropic-otel docs usage
              anthropic-otel docs simulator | less
    """
    terminal = Terminal()
    if name is None:
        _list(terminal)
        return
    document = pages.find(name)
    if document is None:
        close = ", ".join(pages.nearest(name))
        hint = f"Did you mean: {close}" if close else "'anthropic-otel docs' lists them"
        raise click.ClickException(f"no document is named {name[:60]!r}. {hint}")
    terminal.markdown(links.resolved(document.text, document.path))


def _list(terminal: Terminal) -> None:
    guides = [each for each in pages.documents().values() if each.is_guide]
    width = max(len(each.name) for each in guides) + 2
    for each in guides:
        room = max(20, terminal.width - width)
        title = each.title if len(each.title) <= room else f"{each.title[: room - 3]}..."
        terminal.lines([(Piece(f"{each.name:<{width}}", Style.CALL), Piece(title))])
    terminal.text("\nPrint one: anthropic-otel docs usage", Style.QUIET)
    terminal.text("Causes, statuses and error codes: anthropic-otel why --list", Style.QUIET)
