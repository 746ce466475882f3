"""The command `anthropic-otel doctor`: checks the connection to the API, the connection to the collector, and settings.

    command.py       the options
    examination.py   what is checked, in which order; deadline.py within which time
    findings.py      the values that every check returns; redaction.py masks secrets in them
    api/             the connection to the API: URL, proxy, CAs, key, and one request by the SDK's own client
    collector/       the connection to the collector: OpenTelemetry's variables, and an empty export by its own exporter
    installed.py     packages and versions; self_test.py and trial.py one call against the simulator
    render.py        findings as lines of a screen; document.py as JSON and as a report for a ticket

A finding is the result of one check: a state such as good or bad, a text, and what to do.

Rules: what was not tried is never shown as good. A malformed setting gives a finding and never a traceback. A finding
consists of our own words, names, addresses, and values that are no secrets. The message of an exception may quote a
key, so it is never part of a finding, except the system's text for an error number. `redaction` masks secrets in all of
them again.
"""
