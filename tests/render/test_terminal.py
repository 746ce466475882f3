"""What the output gets: colour, glyphs, and nothing that it cannot show."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from rich.color import ColorType
from rich.color_triplet import ColorTriplet

import anthropic_otel
from anthropic_otel._render.styled import ASCII, UNICODE, Piece, Style
from anthropic_otel._render.terminal import Terminal
from anthropic_otel._render.theme import COLOURED


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
    assert printed(monkeypatch, Output(terminal=True)) == "attempt \x1b[1;38;5;161m529\x1b[0m\n"


def test_a_terminal_of_sixteen_colours_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they look like is up to its palette: a failure is bold, and readable on any."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLORTERM", raising=False)
    assert printed(monkeypatch, Output(terminal=True)) == "attempt \x1b[1m529\x1b[0m\n"


@pytest.mark.parametrize(
    "name", sorted({*(style.value for style in Style), *(name for name in COLOURED.styles if "markdown." in name)})
)
def test_every_colour_is_readable_on_white_and_on_black(name: str) -> None:
    """By the contrast that WCAG asks for: 4.5, and for bold text somewhat less. Nothing has a background."""
    style = COLOURED.styles[name]
    assert style.bgcolor is None
    if style.color is None:
        assert not style.dim
        return
    assert style.color.type is ColorType.EIGHT_BIT
    assert style.color.number is not None
    assert style.color.number >= 16
    lightness = relative_luminance(style.color.get_truecolor())
    assert min(1.05 / (lightness + 0.05), (lightness + 0.05) / 0.05) >= (4.0 if style.bold else 4.5)


def relative_luminance(color: ColorTriplet) -> float:
    """As WCAG 2 defines it, from 0 for black to 1 for white."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color.normalized]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_no_code_names_a_colour_of_the_palette() -> None:
    """Only the theme says what a style looks like."""
    named = re.compile(r"[\"' ](?:bright_)?(?:red|green|yellow|blue|magenta|cyan|white)[\"' ]")
    own = Path(anthropic_otel.__file__).parent
    found = [
        f"{path.name}: {line.strip()}"
        for folder in (own / "_render", own / "_live", own / "cli")
        for path in folder.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "style" in line and named.search(line)
    ]
    assert found == []


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
