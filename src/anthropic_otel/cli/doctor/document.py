"""Renders the sections of `doctor` as JSON, and as a report for a ticket.

Rule: both are made of the same redacted sections as the screen. The report's list of environment variables has no
values.
"""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from anthropic_otel import __version__
from anthropic_otel._render.styled import UNICODE, plain
from anthropic_otel.cli.doctor.findings import Finding, Section, faults
from anthropic_otel.cli.doctor.render import NARROW, Rendering, summary

_NAMES: Final = re.compile(
    r"(ANTHROPIC|OTEL)_\w+|(https?|all|no)_proxy|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE", re.I
)


def as_json(sections: Sequence[Section]) -> str:
    """Returns the sections as the text of one JSON object, with this package's version.

    Its field `healthy` is whether there is no fault. `docs/doctor.md` describes the fields.
    """
    found: dict[str, Any] = {
        "anthropic_otel": __version__,
        "healthy": not faults(finding for section in sections for finding in section.findings),
        "sections": {section.key: [_finding(finding) for finding in section.findings] for section in sections},
    }
    return json.dumps(found, indent=2)


def _finding(finding: Finding) -> dict[str, Any]:
    values = asdict(finding) | {"state": finding.state.value, "remedy": finding.remedy or None}
    values["seconds"] = round(finding.seconds, 4) if finding.seconds is not None else None
    return values


def report(sections: Sequence[Section], environment: Mapping[str, str]) -> str:
    """Returns the report: the time and this system, the sections and a summary as plain text, and names of variables.

    These are the variables for the SDK, OpenTelemetry, proxies and CAs that are set and not empty in `environment`. The
    text is for 80 columns.
    """
    rendering = Rendering(NARROW, UNICODE)
    parts = [plain(rendering.section(section)) for section in sections]
    names = sorted(name for name in environment if _NAMES.fullmatch(name) and environment[name])
    head = (
        "anthropic-otel doctor\n"
        f"{time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}, {platform.system()} {platform.release()} "
        f"{platform.machine()}\n"
        "No key, password, header or query is in this report. Host names and addresses are."
    )
    variables = "Variables that are set (values not shown)\n" + "\n".join(f"  {name}" for name in names)
    return "\n\n".join([head, *parts, plain([summary(sections)]), variables]) + "\n"
