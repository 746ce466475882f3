"""`anthropic-otel why`: what a word of the telemetry means and what to do, and what lies beneath a pasted traceback.

- `pages.py` finds the page of a word; the pages themselves are `docs/why/*.md`.
- `printed.py` reads tracebacks as Python prints them; `clean.py` has taken off what loggers and containers put around.
- `revive.py` makes exceptions of what was printed, so that `_core.cause` can say what they were.
- `search.py` finds the lines of a long text that are worth a look.
- `reading.py` finds every failure in a text; `show.py` prints.
"""
