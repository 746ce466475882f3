"""Runs the simulator in the foreground, for an app that is started by hand against it.

Rule: the base URL, and nothing else, goes to standard output, so that a script can read it; hints go to the other.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import click

from anthropic_otel.simulator import FAULTS, Fault, Simulator
from anthropic_otel.simulator.interrupts import interruptible, wait


@dataclass(frozen=True, slots=True)
class Weather:
    """What the simulated API is like. `mix` are probabilities by fault; the rest of the requests is answered."""

    mix: Mapping[str, float]
    seed: int = 0
    words: int = 24
    latency: float = 0.0
    pace: float = 0.0


def serve(port: int, weather: Weather) -> None:
    """Serves on that port of 127.0.0.1, 0 for any free one, until interrupted. Raises `OSError` if it is taken."""
    weights: dict[str | Fault, float] = {"ok": max(0.0, 1 - sum(weather.mix.values()))}
    for name, weight in weather.mix.items():
        weights[name] = weights.get(name, 0.0) + weight
    simulated = Simulator(seed=weather.seed, words=weather.words, record=False, port=port)
    with interruptible(), simulated as simulator:
        simulator.mix(weights, seed=weather.seed)
        simulator.latency(weather.latency, weather.pace, jitter=0.2, seed=weather.seed)
        click.echo(simulator.base_url)
        hint = f"export ANTHROPIC_BASE_URL={simulator.base_url} ANTHROPIC_API_KEY=none   # Ctrl+C ends it"
        click.echo(hint, err=True)
        wait()


def mix_of(pairs: Iterable[str]) -> dict[str, float]:
    """The probabilities in `FAULT=PROBABILITY` pairs. Raises `click.BadParameter` that says what is wrong."""
    mix: dict[str, float] = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if name not in FAULTS:
            raise _wrong(f"no fault is named {name!r}; --list shows them")
        if FAULTS[name].own_address:
            raise _wrong(f"{name} strikes before there is a request, so that it cannot be mixed in")
        try:
            mix[name] = float(number)
        except ValueError:
            raise _wrong(f"{pair!r} is not FAULT=PROBABILITY, such as http_529=0.1") from None
    # Not "if any is below": nothing is below or above a nan.
    if not all(share >= 0 for share in mix.values()) or sum(mix.values()) > 1 + 1e-9:
        raise _wrong("probabilities must not be negative or add up to more than 1")
    return mix


def _wrong(text: str) -> click.BadParameter:
    return click.BadParameter(text, param_hint="--mix")


def catalogue(width: int | None = None) -> str:
    """Every fault that can be mixed in, with what it is: on a line each, or on several of `width` columns."""
    lines = [f"{each.name:<28} {each.description}" for each in FAULTS.values() if not each.own_address]
    if width is None:
        return "\n".join(lines)
    wrapped = (textwrap.wrap(line, width, subsequent_indent=" " * 29, break_on_hyphens=False) for line in lines)
    return "\n".join(part for each in wrapped for part in each)
