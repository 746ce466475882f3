"""Defines the command `why` and its options, and reads the text that it explains."""

from __future__ import annotations

import codecs
import sys
from typing import Final

import click

from anthropic_otel._render.terminal import Terminal
from anthropic_otel.cli.redaction import redact
from anthropic_otel.cli.why import pages, reading, show


@click.command(short_help="Explain a word or a pasted traceback.")
@click.argument("word", required=False)
@click.option("--list", "listed", is_flag=True, help="List every word that has a page, and exit.")
@click.option(
    "--histograms",
    type=click.Choice(["classic", "native"]),
    default="classic",
    show_default=True,
    help="How your Prometheus stores histograms: it decides how queries on them are written.",
)
@click.pass_context
def why(context: click.Context, word: str | None, listed: bool, histograms: str) -> None:
    """Explain a word, or a pasted traceback or log.

    WORD is a cause, a status, an outcome, an error type or code, an exception, an attribute, a metric or an alert.
    You get what it means, how it looks, and what to do.

    With - it reads a traceback or a log from stdin, 8 MB at most, removes keys and content, and says what was behind
    each error. The app need not be instrumented.

    It exits with 1 if there is no such word, or nothing to explain.

    \b
    Examples: anthropic-otel why connection_reset
              anthropic-otel why - < app.log
    """
    terminal = Terminal()
    if listed:
        show.show_words(terminal, dict.fromkeys(pages.pages().values()))
    elif word == "-":
        _explain_stdin(terminal)
    elif word is None:
        click.echo(context.get_help())
        context.exit(2)
    else:
        _explain(terminal, word, histograms == "native")


def _explain(terminal: Terminal, word: str, native: bool) -> None:
    page = pages.find(word)
    if page is None:
        raise click.ClickException(show.unknown(redact(word), pages.nearest(word)))
    show.show_page(terminal, page, native)


def _explain_stdin(terminal: Terminal) -> None:
    if sys.stdin.isatty():
        click.echo("Paste the traceback or the log, then press Ctrl+D.", err=True)
    raw = sys.stdin.buffer.read(reading.MAX_BYTES + 1)
    found = reading.failures(redact(_decoded(raw[: reading.MAX_BYTES])))
    show.show_failures(terminal, found, cut=len(raw) > reading.MAX_BYTES)
    if not found:
        sys.exit(1)


def _decoded(raw: bytes) -> str:
    """Returns `raw` decoded as UTF-8, or as UTF-16, which PowerShell writes, if its bytes 3 to 64 look like that.

    They do if more than half of those at even places are null, or more than half of those at odd places, but not both.
    The byte order mark of that encoding and null characters are removed; bytes that cannot be decoded become U+FFFD.
    """
    marked = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(raw[:2])
    even, odd = raw[2:_LOOK_AT:2].count(0), raw[3:_LOOK_AT:2].count(0)
    many = len(raw[2:_LOOK_AT]) / 4
    encoding = "utf-16-le" if odd > many >= even else "utf-16-be" if even > many >= odd else "utf-8-sig"
    if marked == encoding:
        raw = raw[2:]
    return raw.decode(encoding, "replace").replace("\0", "")


_LOOK_AT: Final = 64
