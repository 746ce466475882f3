"""Removes what loggers and containers add to a traceback, so that it reads as Python printed it.

Rule: a line stays one line, but a line of JSON becomes the lines in its strings, a traceback with escaped newlines
becomes several, and `other_forms` drops source code. Lines keep their order, except that `interleaved` separates those
of several threads or processes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from anthropic_otel.cli.redaction import redact
from anthropic_otel.cli.why import interleaved, json_records, other_forms

_PREFIXES: Final = re.compile(
    r"^(?:"
    r"\S+ std(?:out|err) [FP] "  # Kubernetes' container runtimes
    r"|[\w.-]+ +\| "  # docker compose
    r"|\[pod/[^\]]+\] "  # kubectl logs --prefix
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ [\w.@/-]+(?:\[\d+\])?: "  # journald, syslog
    r")"
)
_MARGIN: Final = re.compile(r"^\s*(?:[|+] ?)(?!\|)")
_COLOURS: Final = re.compile(r"\x1b(?:\[[0-9;:?]*[A-Za-z]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>])")
"""A terminal's escape sequence, such as one that sets a colour or makes a link."""
_ESCAPED: Final = re.compile(r"(?:\\+r)?\\+n")
_ON_ONE_LINE: Final = re.compile(r"Traceback \(most recent call last\):(?:\\+r)?\\+n")
_ESCAPED_QUOTE: Final = re.compile(r"\\+\"")


def lines(text: str) -> list[str]:
    """Returns the lines of a redacted text, without what loggers and containers added, for `printed` to parse.

    Strings with escapes in JSON are redacted again, without the escapes.
    """
    out: list[str] = []
    # Chats and web pages have spaces that do not break.
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    for line in (_COLOURS.sub("", text) if "\x1b" in text else text).splitlines():
        if not line:
            out.append(line)
            continue
        bare = _PREFIXES.sub("", line, count=1)
        # Most lines of a log have none of what `_unpacked` looks for, so they are not passed to it.
        if "{" in bare or "\\n" in bare or "| " in bare or "+ " in bare:
            out += _unpacked(bare)
        else:
            out.append(bare)
    return other_forms.as_python_prints(interleaved.apart(out))


def _unpacked(line: str) -> Iterator[str]:
    begin = line.find("{")
    if begin >= 0 and line.rstrip().endswith("}"):
        try:
            record = json.loads(line[begin:])
        except (ValueError, RecursionError):
            pass
        else:
            if line[:begin].strip():
                yield line[:begin]
            text = json_records.text(record)
            # Inside of a JSON string quotes were escaped, so the text is redacted again without the escapes.
            yield from (redact(text) if "\\" in line else text).splitlines()
            return
    yield from (_without_margin(each) for each in _unfolded(line).splitlines() or [""])


def _unfolded(line: str) -> str:
    """Returns a line that has a traceback with escaped newlines and quotes, as in logfmt, without those escapes.

    So the result has several lines, without quotes at its end. Any other line is returned as it is.
    """
    if _ON_ONE_LINE.search(line) is None:
        return line
    return _ESCAPED_QUOTE.sub('"', _ESCAPED.sub("\n", line)).rstrip("\"'")


def _without_margin(line: str) -> str:
    """Returns the line without a `| ` or `+ ` at its beginning, as Python prints for an exception group.

    The blanks before it are removed too.
    """
    return _MARGIN.sub("", line, count=1) if line.lstrip().startswith(("| ", "+ ")) else line
