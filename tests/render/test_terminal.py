"""What the output gets: colour, glyphs, and nothing that it cannot show."""

from __future__ import annotations

import io
import sys

import pytest

from anthropic_otel._render.styled import ASCII, UNICODE, Piece, Style
from anthropic_otel._render.terminal import Terminal


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the shell that runs the tests, but a terminal that knows colours."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


class Output(io.TextIOWrapper):
    """An output of some encoding that is a terminal, or is none."""

    def __init__(self, encoding: str = "utf-8", *, terminal: bool = False) -> None:
        self.bytes = io.BytesIO()
        self._terminal = terminal
        super().__init__(self.bytes, encoding=encoding)

    def isatty(self) -> bool:
        return self._terminal

    @property
    def text(self) -> str:
        self.flush()
        return self.bytes.getvalue().decode(self.encoding)


def printed(monkeypatch: pytest.MonkeyPatch, output: Output, text: str = "529") -> str:
    monkeypatch.setattr(sys, "stdout", output)
    Terminal().lines([(Piece("attempt "), Piece(text, Style.BAD))])
    return output.text


def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is bold and red."""
    assert printed(monkeypatch, Output(terminal=True)) == "attempt \x1b[1;31m529\x1b[0m\n"


def test_a_pipe_gets_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wants escape sequences in a file."""
    assert printed(monkeypatch, Output()) == "attempt 529\n"


def test_no_color_means_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a terminal, and without bold."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert printed(monkeypatch, Output(terminal=True)) == "attempt 529\n"


@pytest.mark.parametrize(("encoding", "glyphs"), [("utf-8", UNICODE), ("ascii", ASCII), ("latin-1", ASCII)])
def test_the_glyphs_are_those_that_the_encoding_has(
    monkeypatch: pytest.MonkeyPatch, encoding: str, glyphs: object
) -> None:
    """One that is missing is enough for ASCII, so that a picture is of one kind."""
    monkeypatch.setattr(sys, "stdout", Output(encoding))
    assert Terminal().glyphs is glyphs


def test_text_that_the_encoding_does_not_have_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error message in any language ends no command."""
    assert printed(monkeypatch, Output("ascii"), "Verbindung unterbröchen 中") == "attempt Verbindung unterbr?chen ?\n"
