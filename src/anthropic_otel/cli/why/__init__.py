"""The command `anthropic-otel why`: explains a word of the telemetry, or finds the causes in a pasted traceback or log.

- `command.py` has the options. `schema.py` describes every attribute and network cause; `pages.py` finds the page of a
  word; the pages are `docs/why/*.md`.
- `reading.py` finds every failure in a text; `show.py` prints pages and failures.
- `clean.py` removes what loggers and containers add to a traceback; `json_records.py` reads JSON, `interleaved.py`
  separates threads, `other_forms.py` converts rich's and structlog's tracebacks, and `with_source.py` those of pytest
  and IPython.
- `printed.py` parses tracebacks as Python prints them; `log_lines.py` parses single lines.
- `chains.py` explains a printed exception chain; `revive.py` constructs exceptions from it, with the base classes in
  `bases.py`, so that `_core.cause` can classify them.
- `search.py` finds the lines of a long text that contain some words.
"""
