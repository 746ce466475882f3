"""Telemetry never hurts the app: under faults, under load, and while the telemetry itself fails.

Rule: what the app sees is compared with what it sees without the library, and never with an expectation of ours.

    programs.py      what an app does, as a plain value: results, exceptions, requests on the wire
    breaking.py      an OpenTelemetry in which chosen calls raise
    interrupting.py  cancellations and interrupts at chosen points
    load.py          many calls and streams at once, and what they leave behind; soak.py runs it for long
    canaries.py      secrets in every place that a secret can be in
    environments.py  virtual environments for the libraries that are not to meet the test suite's own
    coexistence/     one program for every other instrumentation, before and after ours
    sdk_suite.py     the SDK's own tests, with and without the library
    report.py        runs the long versions and writes the figures into docs/reliability.md
"""
