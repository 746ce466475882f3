"""What the test suites share: the app under test, its telemetry, and what must hold of every telemetry.

Rule: nothing here knows a private part of the library, and nothing here decides what is right for one test.

    versions.py   which SDK and which HTTP libraries are installed, and what follows from that
    stacks.py     every way to send an HTTP request here: library x sync, async, aiohttp; and its clients
    driver.py     runs sync and async code alike, so that a test is written once
    apps.py       an app: an SDK client (or a bare HTTP client) that meets an endpoint of the simulator
    telemetry.py  spans, metrics and logs of one test, in memory
    identities.py what holds of any telemetry, whatever happened
    waiting.py    until something is there, however busy the machine is
    backoff.py    the SDK's own retries, without the waiting
    marks.py      marks that more than one suite needs
    sink.py       a server on loopback that OTLP is sent to
"""
