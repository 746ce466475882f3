"""Runs the simulator until it is interrupted: `python -m anthropic_otel.simulator`.

Rule: its first line on standard output is the base URL and nothing else, so that scripts can read it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from anthropic_otel.simulator import FAULTS, Fault, Simulator
from anthropic_otel.simulator.interrupts import interruptible, wait


def _weight(text: str) -> tuple[str, float]:
    name, _, weight = text.partition("=")
    if name not in FAULTS or FAULTS[name].own_address:
        raise argparse.ArgumentTypeError(f"no fault to mix is named {name!r}")
    try:
        return name, float(weight or 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"the weight of {name} must be a number, not {weight!r}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m anthropic_otel.simulator", description="A Messages API that fails."
    )
    parser.add_argument(
        "--port", type=int, default=0, help="the port of 127.0.0.1 to listen on (default: any free one)"
    )
    parser.add_argument(
        "--mix",
        type=_weight,
        action="append",
        default=[],
        metavar="FAULT=WEIGHT",
        help="let requests get this fault with this probability; can be repeated; the rest is ok",
    )
    parser.add_argument("--seed", type=int, default=0, help="what ids and the mix follow from (default: 0)")
    parser.add_argument("--words", type=int, default=12, help="how long replies are (default: 12)")
    parser.add_argument("--latency", type=float, default=0.0, metavar="S", help="seconds before headers")
    parser.add_argument("--pace", type=float, default=0.0, metavar="S", help="seconds before each event of a stream")
    parser.add_argument("--list", action="store_true", help="list the catalogue and exit")
    return parser


def _list() -> None:
    for fault in FAULTS.values():
        print(f"{fault.name:28} {fault.where.value:16} {fault.description}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM and return the exit code."""
    options = _parser().parse_args(arguments)
    if options.list:
        _list()
        return 0
    weights: dict[str | Fault, float] = dict(options.mix)
    simulated = Simulator(seed=options.seed, words=options.words, record=False, port=options.port)
    with interruptible(), simulated as simulator:
        simulator.mix({"ok": max(0.0, 1 - sum(weights.values())), **weights}, seed=options.seed)
        simulator.latency(options.latency, options.pace, jitter=0.2, seed=options.seed)
        print(simulator.base_url, flush=True)
        wait()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(f"cannot listen there: {error.strerror}; without --port it takes a free one")
