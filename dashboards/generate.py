#!/usr/bin/env python3
"""Writes the generated files of this checkout: dashboards, alert rules, Kubernetes resources.

    python dashboards/generate.py            write them
    python dashboards/generate.py --check    write nothing; list what is out of date, and fail if anything is
    python dashboards/generate.py --prices   before that, take today's prices of the same models from genai-prices

The rule here: the files come from `anthropic_otel.bundle` and `dashboards/thresholds.yaml`, never from here. Needs
Python 3.11, `grafana-foundation-sdk==0.0.21` and PyYAML, and for the prices `genai-prices`.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from anthropic_otel.bundle import render, settings  # noqa: E402


def main() -> int:
    """The exit status: 1 if `--check` found a difference."""
    parser = argparse.ArgumentParser(description="Write the dashboards and alert rules.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    parser.add_argument("--prices", action="store_true", help="take today's prices from genai-prices")
    options = parser.parse_args()
    check, stale = options.check, 0
    if options.prices:
        take_prices(ROOT / "dashboards/thresholds.yaml")
    for name, text in render.generated(settings.load(ROOT / "dashboards/thresholds.yaml")).items():
        path = ROOT / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        stale += 1
        if check:
            lines = difflib.unified_diff(old.splitlines(), text.splitlines(), name, "generated", lineterm="", n=1)
            print("\n".join(list(lines)[:40]))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    if check and stale:
        print(f"{stale} files are out of date: run python dashboards/generate.py", file=sys.stderr)
    return int(check and stale > 0)


def take_prices(path: Path) -> None:
    """Writes the prices of today of the models that the file has."""
    from anthropic_otel.bundle import prices

    text, day = path.read_text(encoding="utf-8"), prices.today()
    source, lines = prices.of_day((price.model for price in settings.parse(text).spend.prices), day)
    text = settings.edited(text, prices_from=source, prices_of=day.date().isoformat())
    path.write_text(settings.with_prices(text, lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
