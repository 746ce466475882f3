"""Runs the simulator until it is interrupted: `python -m anthropic_otel.simulator`.

Rule: a simulator that serves writes its base URL as the only line on standard output, so that scripts can read it.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence

from anthropic_otel.simulator import FAULTS, Fault, Simulator, checks
from anthropic_otel.simulator.interrupts import interruptible, wait


def _weight(text: str) -> tuple[str, float]:
    name, _, weight = text.partition("=")
    if name not in FAULTS or FAULTS[name].own_address:
        raise argparse.ArgumentTypeError(f"no fault to mix is named {name!r}")
    try:
        return name, _seconds(weight or "1")
    except argparse.ArgumentTypeError:
        text = f"the weight of {name} must be a number of at least 0, not {weight!r}"
        raise argparse.ArgumentTypeError(text) from None


def _seconds(text: str) -> float:
    try:
        return checks.number("it", float(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number of at least 0, not {text!r}") from None


def _whole(least: int | None, most: int | None) -> Callable[[str], int]:
    def parsed(text: str) -> int:
        try:
            return checks.whole("it", int(text), least, most)
        except ValueError:
            within = "" if most is None else f" from {least} to {most}"
            raise argparse.ArgumentTypeError(f"must be a whole number{within}, not {text!r}") from None

    return parsed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m anthropic_otel.simulator", description="A Messages API that fails."
    )
    parser.add_argument(
        "--port", type=_whole(0, 65535), default=0, help="the port on 127.0.0.1 (default: any free one)"
    )
    parser.add_argument(
        "--mix",
        type=_weight,
        action="append",
        default=[],
        metavar="FAULT=WEIGHT",
        help="let requests get this fault with this probability; can be repeated; the rest is ok",
    )
    parser.add_argument(
        "--seed", type=_whole(None, None), default=0, help="random seed of ids and of the mix (default: 0)"
    )
    parser.add_argument("--words", type=_whole(1, checks.MAX_WORDS), default=12, help="words per reply (default: 12)")
    parser.add_argument("--latency", type=_seconds, default=0.0, metavar="S", help="seconds before headers")
    parser.add_argument("--pace", type=_seconds, default=0.0, metavar="S", help="seconds before each event of a stream")
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME", help="a model of your own, or any; can be repeated"
    )
    parser.add_argument(
        "--beta", action="append", default=[], metavar="NAME", help="a beta header of your own, or any; can be repeated"
    )
    parser.add_argument("--list", action="store_true", help="list the catalogue and exit")
    return parser


def _list() -> None:
    for fault in FAULTS.values():
        print(f"{fault.name:28} {fault.where.value:16} {fault.description}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves a simulated API until SIGINT or SIGTERM, then returns the exit code 0.

    Writes the base URL to standard output as its only line. With `--list` it writes the catalogue instead, and returns
    0 at once. Call it in the main thread: it replaces the handlers of both signals and does not restore them.
    `arguments` `None`: those of the process. Raises `OSError` if the port cannot be bound, and `SystemExit` for
    `--help` and for wrong arguments.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        _list()
        return 0
    weights: dict[str | Fault, float] = dict(options.mix)
    weights = {"ok": max(0.0, 1 - sum(weights.values())), **weights}
    if not 0 < sum(weights.values()) < math.inf:
        parser.error("argument --mix: one weight must be above 0, and their sum finite")
    simulated = Simulator(
        seed=options.seed,
        words=options.words,
        record=False,
        port=options.port,
        models=checks.named(options.model),
        betas=checks.named(options.beta),
    )
    with interruptible(), simulated as simulator:
        simulator.mix(weights, seed=options.seed)
        simulator.latency(options.latency, options.pace, jitter=0.2, seed=options.seed)
        print(simulator.base_url, flush=True)
        wait()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(f"cannot listen there: {error.strerror}; without --port it takes a free one")
