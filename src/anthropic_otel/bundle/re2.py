"""Checks whether Prometheus' regular expressions (RE2) accept a pattern that Python's accept.

Rule: a pattern that is accepted here is accepted by Prometheus; the tests ask promtool.
"""

from __future__ import annotations

import re

_SKIPPED = re.compile(r"\\[^1-9ZuUN]|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_FOREIGN = (
    (re.compile(r"\(\?(?:<?[=!]|>|\()"), "it looks around, is atomic or conditional"),
    (re.compile(r"\\[1-9]|\(\?P="), "it refers back to a group"),
    (re.compile(r"\\[ZuUN]"), "it has an escape of Python's own"),
    (re.compile(r"\(\?[a-zA-Z]*[aLux]"), "it has a flag of Python's own"),
    (re.compile(r"\(\?#"), "it has a comment"),
    (re.compile(r"[*+?}]\+"), "it has a possessive quantifier"),
)
_REPEATED = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_MOST = 1000


def problem(pattern: str) -> str | None:
    """Returns why RE2 refuses the pattern, or `None` if it accepts it."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError) as error:
        return str(error)
    plain = _SKIPPED.sub("x", pattern)
    for foreign, what in _FOREIGN:
        if foreign.search(plain):
            return f"{what}, which Prometheus does not know"
    if any(int(number) > _MOST for pair in _REPEATED.findall(plain) for number in pair if number):
        return f"it repeats something more than {_MOST} times, which Prometheus does not do"
    return None
