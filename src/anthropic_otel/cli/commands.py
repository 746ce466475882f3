"""Defines the command `anthropic-otel` and, of its subcommands, `demo`, `run`, `simulate` and `bundle`.

Rule: a command here checks its options, calls what does the work, and prints. What only one command needs is imported
when that runs, and a missing package is reported with the extra to install.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from anthropic_otel import __version__
from anthropic_otel._otel.providers import MissingExporter
from anthropic_otel._render.styled import Piece, Style
from anthropic_otel._render.terminal import Terminal
from anthropic_otel.cli.docs.command import docs
from anthropic_otel.cli.doctor.command import doctor
from anthropic_otel.cli.environment import isolate
from anthropic_otel.cli.options import Number, Whole
from anthropic_otel.cli.options import Path as FilePath
from anthropic_otel.cli.stack.commands import stack
from anthropic_otel.cli.why.command import why


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Raises `click.ClickException` if its block fails because a package is not installed.

    For a `ModuleNotFoundError`, the message names the module, and `extra` as the one to install. A `MissingExporter`
    keeps its own message.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is missing: pip install 'anthropic-otel[{extra}]'") from error
    except MissingExporter as error:
        raise click.ClickException(str(error)) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Makes every HTTP attempt of the Anthropic SDK visible."""


cli.add_command(docs)
cli.add_command(doctor)
cli.add_command(stack)
cli.add_command(why)


@cli.command(short_help="Show an overload and an outage.")
@click.option("--pace", type=Number(0.05, 1), default=1.0, hidden=True, help="Scales the demo's waits: 1 is real time.")
@click.option("--loop", is_flag=True, help="Play it again and again, until Ctrl+C, so that dashboards have live data.")
def demo(pace: float, loop: bool) -> None:
    """Show an overload and an outage, attempt by attempt.

    An app calls a simulated API while that fails, and you see what the library records.
    Takes about 20 seconds and needs neither a key nor a network. Set OTEL_EXPORTER_OTLP_ENDPOINT to export it as well.
    """
    terminal = Terminal()
    _check_endpoints()
    _check_that_providers_can_be_set()
    isolate()
    with needs("demo"):
        introduce(terminal)
        from anthropic_otel.cli.collect import Collection
        from anthropic_otel.cli.demo import play, show

        collection = Collection()
    if loop:
        play.run_again_and_again(terminal, collection, pace)
        return
    result = play.run(terminal, collection, pace)
    show.show(terminal, result)
    show.tell_more(terminal, collection)


def _check_endpoints() -> None:
    """Raises `click.UsageError` if the environment names an OTLP endpoint to which nothing can be sent.

    Its message has no part of the URL, which may be secret.
    """
    from anthropic_otel.cli.doctor.collector import endpoint, start

    for signal in start.Signal:
        protocol = start.protocol(os.environ, signal, start.Start.CODE)
        found = endpoint.of_signal(os.environ, signal, protocol)
        for fault in endpoint.wrong(found):
            raise click.UsageError(f"{fault.text}. Set one such as http://localhost:4318, or unset it")


def _check_that_providers_can_be_set() -> None:
    """Raises `click.UsageError` if OpenTelemetry's providers are set already, as by `opentelemetry-instrument`.

    The demo would show nothing then of what it plays.
    """
    from opentelemetry import metrics, trace

    from anthropic_otel._otel.providers import is_unset

    if not (is_unset(trace.get_tracer_provider()) and is_unset(metrics.get_meter_provider())):
        raise click.UsageError(
            "OpenTelemetry is set up in this process already. Run the demo without opentelemetry-instrument: "
            "it exports by itself if OTEL_EXPORTER_OTLP_ENDPOINT is set"
        )


def introduce(terminal: Terminal) -> None:
    """Prints the demo's introduction: an app, the SDK's version, a simulator, and the line that instruments the app.

    Call it before the slow imports. Raises `ModuleNotFoundError` if the Anthropic SDK is not installed.
    """
    terminal.text(f"A small app asks Claude through the Anthropic SDK {version('anthropic')}", Style.STRONG)
    terminal.text("The API is a simulator. One line was added to the app:")
    terminal.lines([(), (Piece("    anthropic_otel.instrument()", Style.GOOD),), ()])


@cli.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--save", type=click.File("w", encoding="utf-8", lazy=False), metavar="FILE", help="Save the events as NDJSON."
)
@click.option("--json", "as_json", is_flag=True, help="Print the events as NDJSON in place of pictures.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(save: Any, as_json: bool, command: tuple[str, ...]) -> None:
    """Run a program unchanged, and show its calls.

    Each call is a line on stderr, with a waterfall where something was retried or failed, and a summary at the end.
    Child processes, reloaders and workers are followed. The program's output, signals and exit status are its own.

    Example: anthropic-otel run -- uvicorn app:app --reload
    """
    from anthropic_otel.cli.run.session import NotStarted, Options
    from anthropic_otel.cli.run.session import run as run_program

    if not command[0] or command[0].startswith("-"):
        wrong = f"no such option: {command[0]}" if command[0] else "COMMAND is empty"
        raise click.UsageError(f"{wrong}. Write: anthropic-otel run -- COMMAND")
    try:
        status = run_program(command, Options(save, as_json))
    except NotStarted as error:
        click.echo(f"Error: {error}", err=True)
        status = error.status
    sys.exit(status)


@cli.command(short_help="Run a simulated Messages API.")
@click.option("--port", type=Whole(0, 65535), default=0, show_default="any free one", help="Port on 127.0.0.1.")
@click.option("--mix", multiple=True, metavar="FAULT=PROBABILITY", help="Let requests meet this fault. Repeatable.")
@click.option("--latency", type=Number(0, 3600), default=0.2, show_default=True, help="Seconds before headers.")
@click.option("--pace", type=Number(0, 3600), default=0.02, show_default=True, help="Seconds between events.")
@click.option("--words", type=Whole(1, 1_000_000), default=24, show_default=True, help="Words per answer.")
@click.option("--seed", type=Whole(), default=0, show_default=True, help="Random seed.")
@click.option(
    "--model", multiple=True, metavar="NAME", help="A model of your own; 'any' allows every name. Repeatable."
)
@click.option("--beta", multiple=True, metavar="NAME", help="The same for a beta header. Repeatable.")
@click.option("--list", "listed", is_flag=True, help="List the faults that can be mixed in, and exit.")
def simulate(port: int, mix: tuple[str, ...], listed: bool, **options: Any) -> None:
    """Run a simulated Messages API to test your app against.

    It runs in the foreground until you press Ctrl+C. Faults are mixed in at random; --list names them.

    \b
    Example: anthropic-otel simulate --port 8529 --mix http_529=0.2
    """
    with needs("simulator"):
        from anthropic_otel.cli import simulate as simulating
    if listed:
        terminal = Terminal()
        click.echo(simulating.catalogue(terminal.width if terminal.is_screen else None))
        return
    models, betas = options.pop("model"), options.pop("beta")
    settings = simulating.Settings(simulating.mix_of(mix), models=models, betas=betas, **options)
    try:
        simulating.serve(port, settings)
    except OSError as error:
        why = f"{error.strerror}: choose another --port, or leave it out for any free one"
        raise click.ClickException(f"port {port}: {why}") from error


def _names(text: str | None) -> list[str]:
    """Returns the comma-separated names in `text`, stripped, without empty ones; an empty list for `None`."""
    return [name.strip() for name in text.split(",") if name.strip()] if text else []


_OPTIONS = {
    "job": ("job", "--job"),
    "slo": ("slo.objective", "--slo"),
    "grafana": ("links.grafana", "--grafana"),
    "runbooks": ("links.runbooks", "--runbooks"),
    "budget": ("spend.budget_per_day", "--budget"),
}
"""For each parameter of `bundle` that sets a threshold: the threshold's key in the file, and the option's name."""


def _by_option(text: str, options: Mapping[str, Any]) -> str:
    """Returns the error message `text` with an option's name in place of the threshold's, if that option has set it.

    `options` are the command's, by parameter name; one that is `None` was not given. A `text` that does not begin with
    `the thresholds:` and the key of a given option, or that key's last part, is returned as it is.
    """
    for name, (key, option) in _OPTIONS.items():
        for each in (key, key.rpartition(".")[2]):
            if options.get(name) is not None and text.startswith(f"the thresholds: {each} "):
                return text.replace(f"the thresholds: {each}", option, 1)
    return text


@cli.command(short_help="Write dashboards, alert rules and configs.")
@click.argument("directory", type=FilePath(file_okay=False, path_type=Path))
@click.option("--job", metavar="REGEX", help="Only services with this Prometheus label `job`.")
@click.option("--slo", type=Number(0, 100, min_open=True, max_open=True), help="Percent of calls to succeed.")
@click.option("--grafana", metavar="URL", help="Where your Grafana is: alerts lead to its dashboards.")
@click.option("--runbooks", metavar="URL", help="Where you serve docs/runbooks: alerts and panels lead there.")
@click.option("--budget", type=Number(0), metavar="USD", help="What all calls may cost in 24 hours. 0: no budget.")
@click.option("--prices", metavar="MODELS", help="Models whose prices to take from genai-prices, separated by commas.")
@click.option("--histograms", metavar="FORM", help="How your Prometheus stores histograms: classic or native.")
@click.option(
    "--thresholds", type=FilePath(exists=True, dir_okay=False), metavar="FILE", help="Your own thresholds file."
)
@click.option("--only", metavar="PARTS", help="Write only these of dashboards, rules, collector, separated by commas.")
@click.option("--force", is_flag=True, help="Also overwrite files that you have changed.")
def bundle(directory: Path, force: bool, only: str | None, prices: str | None, **options: Any) -> None:
    """Write out dashboards, alert rules and configs.

    Grafana dashboards, Prometheus alert rules with their runbooks, and Collector configs, into DIRECTORY. Except for
    --only and --force, the options below need 'anthropic-otel[bundle]', and one that you leave out keeps its value from
    the last time in DIRECTORY. --thresholds drops all earlier values.

    \b
    Examples:
      anthropic-otel bundle monitoring
      anthropic-otel bundle monitoring --job 'shop|billing' --slo 99.9
      anthropic-otel bundle monitoring --budget 100
    """
    from anthropic_otel.bundle import BundleError, Changed, write_bundle

    try:
        if only is not None and not _names(only):
            raise click.BadParameter("names no part. There are dashboards, rules, collector", param_hint="--only")
        models = _names(prices) if prices is not None else None
        done = write_bundle(directory, force=force, only=_names(only), prices=models, **options)
    except Changed as error:
        paths = "".join(f"\n  {path}" for path in error.paths)
        text = f"You have changed these files; not overwritten. Use --force to replace them:{paths}"
        raise click.ClickException(text) from error
    except BundleError as error:
        raise click.ClickException(_by_option(str(error), options)) from error
    except OSError as error:
        text = f"cannot write to {error.filename or directory}: {error.strerror}"
        raise click.ClickException(text) from error
    for path in done.changed:
        click.echo(f"  changed {directory / path}")
    for folder, count in Counter(path.partition("/")[0] for path in done.written).items():
        click.echo(f"  {directory / folder}  {count} file{'s' * (count != 1)}")
    count = len(done.written)
    click.echo(f"{count} file{'s' * (count != 1)} written, {len(done.unchanged)} were up to date")
    click.echo(f"Start it all: docker compose -f {directory / 'collector-config' / 'compose.yaml'} up -d")
