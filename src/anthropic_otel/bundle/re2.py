"""Finds regular expressions that Prometheus (RE2) refuses or may read otherwise than Python.

Rule: a pattern that is accepted here is accepted by Prometheus; the tests ask promtool.
"""

from __future__ import annotations

import re
import warnings

_SKIPPED = re.compile(r"\\[^1-9ZuUN]|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_FOREIGN = (
    (re.compile(r"\(\?(?:<?[=!]|>|\()"), "it looks around, is atomic or conditional"),
    (re.compile(r"\\[1-9]|\(\?P="), "it refers back to a group"),
    (re.compile(r"\\[ZuUN]"), "it has an escape of Python's own"),
    (re.compile(r"\(\?[a-zA-Z-]*[aLux]"), "it has a flag of Python's own"),
    (re.compile(r"\(\?#"), "it has a comment"),
    (re.compile(r"[*+?}]\+"), "it has a possessive quantifier"),
    # Prometheus takes it for the text that it is.
    (re.compile(r"\{,\d*\}"), "it has a count without a least number"),
)
_FOREIGN_ESCAPE = re.compile(r"\\[^\x00-\x7f]")
_BACKSPACE = re.compile(r"(?<!\\)(?:\\\\)*\\b")
_TOKEN = re.compile(r"\{(\d+)(?:,(\d*))?\}|.", re.DOTALL)
_MOST = 1000


def problem(pattern: str) -> str | None:
    """Returns why Prometheus refuses the pattern, or might read it otherwise than Python; `None` if it does neither.

    A pattern that Python refuses is refused too.
    """
    try:
        with warnings.catch_warnings():
            # Python warns of `[[:alpha:]]`, which a later version may read as Prometheus does.
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(pattern)
    except (re.error, OverflowError) as error:
        return str(error)
    plain = _SKIPPED.sub("x", pattern)
    for foreign, what in _FOREIGN:
        if foreign.search(plain):
            return f"{what}, which Prometheus does not know"
    tokens = [token[0] for token in _SKIPPED.finditer(pattern)]
    if any(_FOREIGN_ESCAPE.search(token) for token in tokens):
        return "it escapes a letter beyond ASCII, which Prometheus does not know"
    for brackets in (token for token in tokens if token.startswith("[")):
        if _BACKSPACE.search(brackets):
            return "it has \\b within brackets, which Prometheus does not know"
        if "[:" in brackets[1:]:
            return "it has a named class, which Prometheus may read in another way"
    if _most_repeated(plain) > _MOST:
        return f"it repeats something more than {_MOST} times, which Prometheus does not do"
    return None


def _most_repeated(plain: str) -> int:
    """Returns the largest number of times that a part of the pattern is repeated by counts, such as `{3}` and `{2,5}`.

    Of two numbers the larger one counts. The repetitions of a group count for each part in it, multiplied. It is 1 if
    there is no count. `plain` is the pattern with `x` in place of each escape and class.
    """
    groups, last = [1], 1
    for token in _TOKEN.finditer(plain):
        if token[0] == "(":
            groups.append(1)
            last = 1
        elif token[0] == ")":
            last = groups.pop() if len(groups) > 1 else 1
        elif token[1]:
            last *= max(1, *(int(number) for number in (token[1], token[2]) if number))
        else:
            last = 1
        groups[-1] = max(groups[-1], last)
    return groups[0]
