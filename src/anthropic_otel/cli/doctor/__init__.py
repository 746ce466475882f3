"""`anthropic-otel doctor`: the way to the API, the way to the collector, and what is set on the way.

    command.py       the options
    examination.py   what is looked at, in which order, within one deadline
    findings.py      the values that everything here returns
    api/             the way to the API: URL, proxy, CAs, key, and one request by the SDK's own client
    collector/       the way to the collector: OpenTelemetry's variables, and an empty export by its own exporter
    render.py        findings as lines of a screen; document.py as JSON and as a report for a ticket

Rules: what was not tried is never green. What is malformed is a finding and never a traceback. A finding is made of
words of our own, names and addresses; text of an exception, which may quote a key, never gets into one, and
`redaction` looks over all of them once more.
"""
