"""Runs everything here in its long version, and prints the figures that docs/reliability.md states.

    python tests/reliability/report.py            # all of it: prints the table, exits with 1 if any part fails
    python tests/reliability/report.py --write    # and puts the table into docs/reliability.md
    python tests/reliability/report.py sdk soak   # only these parts; with --write the other rows stay as they are

Rule: a figure in the document is one that this program has printed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).resolve().parent
DOCUMENT: Final = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


@dataclass(frozen=True)
class Part:
    """One row of the table: what is shown, how it is run, and what of its output is its figure."""

    name: str
    title: str
    command: Sequence[str]
    figure: Callable[[str], str]


def _tests(name: str, title: str, *files: str) -> Part:
    paths = [str(HERE / file) for file in files]
    two = ["-n", "2", "--dist", "loadgroup"]
    return Part(name, title, ["-m", "pytest", "-q", "--show-capture=no", *two, *paths], _passed)


def _passed(output: str) -> str:
    found = re.search(r"\d+ passed.*?(?= in )", output.splitlines()[-1])
    return found.group(0) if found else output.splitlines()[-1]


def _soak(name: str, title: str, *words: str) -> Part:
    return Part(name, title, [str(HERE / "soak.py"), *words], _load)


def _load(output: str) -> str:
    found = json.loads(output.splitlines()[-1])
    return (
        f"{found['calls']:,} calls, {found['attempts']:,} attempts; in flight {found['in_flight']}, sockets left "
        f"{found['sockets_left']}, memory {found['resident_bytes_per_call']:+.1f} bytes per call, "
        f"{found['calls_per_second']:,} calls/s"
        + (f", {found['calls_per_second_if_well']:,} if it is well" if found["exporter"] != "well" else "")
    )


def _sdk(output: str) -> str:
    found = json.loads(output.splitlines()[-1])
    return (
        f"anthropic {found['sdk']}: {found['passed_without']:,} pass without, {found['passed_under']:,} under it; "
        f"{found['differ_by_design']} assert the absence of spans or headers, 0 others differ; "
        f"{found['attempts']:,} attempts recorded"
    )


PARTS: Final = (
    _tests("failing", "OpenTelemetry raises, hangs or is slow", "test_failing_telemetry.py"),
    _tests("faults", "Every fault, plain against instrumented", "test_differential.py"),
    _tests("ends", "Cancelled at every await, interrupted at every line", "test_cancellation.py"),
    _tests("contexts", "Threads, tasks, collector, closed loops", "test_contexts.py"),
    _tests("processes", "Fork, spawn, gunicorn, exits", "test_processes.py"),
    _tests("secrets", "Canaries in what was exported over OTLP", "test_secrets.py"),
    _tests("cardinality", "10,000 models, hosts and hostile headers", "test_cardinality.py"),
    _tests("coexistence", "Seven other instrumentations, before and after", "test_coexistence.py"),
    Part("sdk", "The SDK's own tests", [str(HERE / "sdk_suite.py")], _sdk),
    _soak("soak", "Load over a mock transport", "--calls", "100000", "--streams", "20000"),
    _soak("network", "Load over sockets, with faults", "--network", "--calls", "100000", "--streams", "20000"),
    _soak("sockets", "The same, as long as CI takes it", "--network", "--calls", "8000", "--streams", "1600"),
    _soak("exporters", "Load, the exporter down", "--calls", "20000", "--streams", "4000", "--exporter", "down"),
    _soak("exporters", "Load, the exporter slow", "--calls", "20000", "--streams", "4000", "--exporter", "slow"),
    _soak(
        "exporters", "Load, the exporter rejecting", "--calls", "8000", "--streams", "1600", "--exporter", "rejecting"
    ),
)


@dataclass(frozen=True)
class Outcome:
    """How a part went: its figure, the seconds that it took, and in a line each what is wrong."""

    part: Part
    figure: str
    seconds: float
    wrong: Sequence[str]

    @property
    def row(self) -> str:
        held = "**no**" if self.wrong else "yes"
        return f"| {self.part.title} | {held} | {self.figure} | {self.seconds:.0f} |"


def run(part: Part) -> Outcome:
    """Runs a part to its end. What it printed is printed if it did not hold."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *part.command], cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    try:
        figure = part.figure(done.stdout)
    except (ValueError, LookupError):
        figure = "no figure"
    wrong = _wrong(done, figure)
    if wrong:
        print(done.stdout[-6000:], done.stderr[-3000:], file=sys.stderr, flush=True)
    return Outcome(part, figure, seconds, wrong)


def _wrong(done: subprocess.CompletedProcess[str], figure: str) -> list[str]:
    """What of a part did not hold: the tests that failed, or its last words. What was skipped was not shown either."""
    if not done.returncode and figure != "no figure":
        return re.findall(r"^SKIPPED .*", done.stdout, re.MULTILINE)
    failed = re.findall(r"^(?:FAILED|ERROR) .*", done.stdout, re.MULTILINE)
    return failed or [(done.stderr.strip() or done.stdout.strip() or "nothing was printed").splitlines()[-1][:600]]


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*sorted({part.name for part in PARTS}), []])
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    arguments = parser.parse_args(words)
    found: list[Outcome] = []
    for part in PARTS:
        if not arguments.parts or part.name in arguments.parts:
            found.append(run(part))
            print(found[-1].row, flush=True)
            if arguments.write:
                write({each.part.title: each.row for each in found})
    return close(found)


def close(found: Sequence[Outcome]) -> int:
    """Says last what is wrong, as it was long ago that it was printed. Returns the exit code."""
    failed = [outcome for outcome in found if outcome.wrong]
    for outcome in failed:
        print(f"\n{outcome.part.title} ({outcome.part.name}):")
        print(*(f"  {line}" for line in outcome.wrong[:20]), sep="\n")
    print(f"\nreliability: {len(found) - len(failed)} passed, {len(failed)} failed", flush=True)
    return bool(failed)


def write(rows: Mapping[str, str]) -> None:
    """Puts the rows into the table between the marks of the document, in place of those of the same title."""
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    stated, _, after = rest.partition(END)
    kept = {line.split("|")[1].strip(): line for line in stated.splitlines() if line.startswith("| ")}
    lines = [rows.get(part.title, kept.get(part.title, "")) for part in PARTS]
    table = "\n".join(["| | held | figures | seconds |", "|---|---|---|---|", *filter(None, lines)])
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
