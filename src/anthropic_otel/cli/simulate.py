"""Runs the simulator in the foreground, to test an app against.

Rule: standard output has only the base URL, so that a script can read it; hints go to stderr.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import click

from anthropic_otel.simulator import FAULTS, Fault, Simulator
from anthropic_otel.simulator.checks import named
from anthropic_otel.simulator.interrupts import interruptible, wait


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the simulated API.

    - `mix`: for each fault, by name, the probability that a request meets it. A request that meets none is answered as
      the API would.
    - `seed`: of all random choices.
    - `words`: the length of a reply, in words.
    - `models`, `betas`: names of models and of beta headers that it has beside the API's; `any` among them stands for
      every name.
    - `latency`, `pace`: the least seconds before a response's headers, and before each event of a stream. Chance makes
      each of these waits longer, by up to a fifth.
    """

    mix: Mapping[str, float]
    seed: int = 0
    words: int = 24
    latency: float = 0.0
    pace: float = 0.0
    models: Sequence[str] = ()
    betas: Sequence[str] = ()


def serve(port: int, settings: Settings) -> None:
    """Serves on `port` of 127.0.0.1 until SIGINT or SIGTERM, then returns. 0 takes any free port.

    Prints the base URL to standard output, and how to use it to stderr. Raises `OSError` if the port cannot be opened.
    Replaces the handlers of both signals, for good, so call it in the main thread only.
    """
    weights: dict[str | Fault, float] = {"ok": max(0.0, 1 - sum(settings.mix.values()))}
    for name, weight in settings.mix.items():
        weights[name] = weights.get(name, 0.0) + weight
    simulated = Simulator(
        seed=settings.seed,
        words=settings.words,
        record=False,
        port=port,
        models=named(settings.models),
        betas=named(settings.betas),
    )
    with interruptible(), simulated as simulator:
        simulator.mix(weights, seed=settings.seed)
        simulator.latency(settings.latency, settings.pace, jitter=0.2, seed=settings.seed)
        click.echo(simulator.base_url)
        hint = f"export ANTHROPIC_BASE_URL={simulator.base_url} ANTHROPIC_API_KEY=none   # Ctrl+C ends it"
        click.echo(hint, err=True)
        wait()


def mix_of(pairs: Iterable[str]) -> dict[str, float]:
    """Returns the probabilities in texts such as `http_529=0.1`, by the fault's name. The last text of a fault counts.

    Raises `click.BadParameter` for a fault that is unknown or needs an address of its own, for a probability that is
    not a number or is negative, and if the probabilities add up to more than 1.
    """
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
    """Returns the names and descriptions of the faults that `--mix` accepts, as lines of text.

    Lines are wrapped at `width` columns; with `None`, each fault has one line.
    """
    lines = [f"{each.name:<28} {each.description}" for each in FAULTS.values() if not each.own_address]
    if width is None:
        return "\n".join(lines)
    wrapped = (textwrap.wrap(line, width, subsequent_indent=" " * 29, break_on_hyphens=False) for line in lines)
    return "\n".join(part for each in wrapped for part in each)
