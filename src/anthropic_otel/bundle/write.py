"""Writes the bundle into a directory.

Rule: all files are made and compared before the first one is written. Without `force`, an existing file is overwritten
only if it is as an earlier bundle wrote it, which a small file in the directory remembers.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from anthropic_otel.bundle import files, settings
from anthropic_otel.bundle.thresholds import edited, with_prices

_THRESHOLDS = "dashboards/thresholds.yaml"
MEMORY = ".anthropic-otel-bundle.json"
"""The name of the file in the directory that has the SHA-256 of each file that was written, and the options."""
PARTS = {
    "dashboards": ("dashboards/",),
    "rules": ("dashboards/alerts/", "docs/", "collector-config/alertmanager/", _THRESHOLDS),
    "collector": ("collector-config/",),
}
"""The parts that `only` may name, with how their files' paths begin. `dashboards` does not include the alerts."""
_TOO_OLD = (
    "other values than the shipped ones need Python 3.11 or newer, as Grafana's own generator of dashboards does, and "
    "pip install 'anthropic-otel[bundle]'. It need not be the Python that your app runs on"
)


class BundleError(Exception):
    """The bundle cannot be made. The message says why."""


class Changed(BundleError):
    """Existing files are not as a bundle wrote them, so nothing was written.

    `paths` are the paths of these files, relative to the directory.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        super().__init__(f"changed since they were written, so not overwritten: {', '.join(paths)}")
        self.paths = paths


@dataclass(frozen=True)
class Written:
    """The result of writing a bundle. Paths are relative to the directory; the file `MEMORY` is not among them.

    - `written`: the files that were written.
    - `unchanged`: the files that had the right content already.
    - `changed`: those of `written` that existed before with another content.
    """

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    changed: tuple[str, ...] = ()


def write_bundle(
    directory: str | Path,
    *,
    job: str | None = None,
    slo: float | None = None,
    grafana: str | None = None,
    runbooks: str | None = None,
    budget: float | None = None,
    prices: Iterable[str] | None = None,
    histograms: str | None = None,
    thresholds: str | Path | None = None,
    only: Iterable[str] = (),
    force: bool = False,
) -> Written:
    """Writes dashboards, alert rules, runbooks and Collector configs into `directory`, which it creates if missing.

    An option that is not given, apart from `only` and `force`, keeps the value that it had the last time in this
    directory; with `thresholds`, all earlier values are dropped. A small file there, `.anthropic-otel-bundle.json`,
    remembers them.

    Args:
        directory: Where to write. Other files in it are left alone.
        job: A regular expression on the Prometheus label `job`; alerts and dashboards then look at those services only.
        slo: The percentage of calls that must not fail, such as 99.9.
        grafana: The address of your Grafana, to which the alerts link.
        runbooks: The address at which your team reads the runbooks, to which alerts and panels link.
        budget: What all calls together may cost in 24 hours, in USD, by the dashboards' estimate; 0 for no budget.
        prices: The names of models, as requests name them. Their prices of today are taken from the package
            `genai-prices`, as it is installed, in place of the list that there is.
        histograms: How your Prometheus stores histograms, `classic` or `native`; every query is written for that.
        thresholds: A thresholds file to use in place of the shipped one; the options above override its values.
        only: Which parts to write: some of `dashboards`, `rules` and `collector`. Empty: all of them.
        force: Whether to overwrite files that have been changed since they were written.

    Raises:
        Changed: Some files that exist are not as an earlier call wrote them. Nothing has been written.
        BundleError: The thresholds or an option cannot be used, a model has no price, or what is needed to make files
            is not installed.
        OSError: Reading or writing failed. Some files may have been written.
    """
    target = Path(directory)
    before, options = _remembered(target)
    given: dict[str, str | float | None] = {
        "job": job,
        "objective": slo,
        "grafana": grafana,
        "runbooks": runbooks,
        "budget_per_day": budget,
        "histograms": histograms,
        **(_prices_of_today(prices) if prices is not None else {}),
    }
    if thresholds is not None:
        # A new file replaces the options of earlier runs.
        options = {"thresholds": str(Path(thresholds).resolve())}
    options |= {name: value for name, value in given.items() if value is not None}
    made = _parts(_contents(dict(options)), tuple(only))
    present = {path: (target / path).read_bytes() for path in made if (target / path).is_file()}
    different = [path for path, content in made.items() if present.get(path) != content]
    changed = tuple(p for p in different if p in present and _digest(present[p]) != before.get(p))
    if changed and not force:
        raise Changed(changed)
    for path in different:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(made[path])
    memory = {"files": before | {path: _digest(content) for path, content in made.items()}, "options": options}
    (target / MEMORY).write_text(json.dumps(memory, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    replaced = tuple(path for path in different if path in present)
    return Written(tuple(different), tuple(path for path in made if path not in different), replaced)


def _parts(made: dict[str, bytes], only: tuple[str, ...]) -> dict[str, bytes]:
    """Returns the files of the parts in `only`, or all files if it is empty.

    Raises `BundleError` for an unknown part.
    """
    unknown = [part for part in only if part not in PARTS]
    if unknown:
        raise BundleError(f"no such part: {', '.join(unknown)}. There are {', '.join(PARTS)}")
    if not only:
        return made
    return {path: content for path, content in made.items() if any(_is_of(part, path) for part in only)}


def _is_of(part: str, path: str) -> bool:
    if part == "dashboards" and path.startswith("dashboards/alerts/"):
        return False
    return path.startswith(PARTS[part])


def _contents(changes: dict[str, str | float]) -> dict[str, bytes]:
    """Returns the content of every file of the bundle, by its path, with the options in `changes` applied.

    The options are keys of a thresholds file and their new values. Two are not: `thresholds` is the path of the file to
    use in place of the shipped one, and `prices` is a text whose lines, such as `- {model: ...}`, replace its list of
    prices. Both are removed from `changes`. Files are generated only if the result differs from the shipped thresholds.
    Raises `BundleError` or `OSError`.
    """
    own, prices = changes.pop("thresholds", None), changes.pop("prices", None)
    thresholds = Path(str(own)) if own is not None else None
    made = {path: source.read_bytes() for path, source in files.shipped().items()}
    shipped = made[_THRESHOLDS].decode()
    try:
        text = thresholds.read_text(encoding="utf-8") if thresholds is not None else shipped
        text = edited(text, **changes)
        if prices is not None:
            text = with_prices(text, str(prices).splitlines())
        if text != shipped:
            made |= {path: content.encode() for path, content in _generated(text).items()}
            made[_THRESHOLDS] = text.encode()
    except UnicodeDecodeError as error:
        raise BundleError(f"{thresholds}: it is not text in UTF-8") from error
    except settings.SettingsError as error:
        raise BundleError(f"{thresholds or 'the thresholds'}: {error}") from error
    return made


def _prices_of_today(models: Iterable[str]) -> dict[str, str]:
    """Returns three options: today's prices of the models, as `_contents` takes them, their source and their date.

    They are `prices`, `prices_from` and `prices_of`. Raises `BundleError` if a model has no price, if `models` is empty
    or if a package is missing.
    """
    try:
        from anthropic_otel.bundle import prices

        day = prices.today()
        source, lines = prices.of_day(models, day)
    except ImportError as error:
        raise _missing(error) from error
    except settings.SettingsError as error:
        raise BundleError(str(error)) from error
    return {"prices": "\n".join(lines), "prices_from": source, "prices_of": day.date().isoformat()}


def _missing(error: ImportError) -> BundleError:
    return BundleError(_TOO_OLD if sys.version_info < (3, 11) else f"{error}: pip install 'anthropic-otel[bundle]'")


def _generated(text: str) -> dict[str, str]:
    """Returns the text of each file that is generated from that of a thresholds file, by its path.

    Raises `BundleError` if a package is missing, and `SettingsError` if the thresholds cannot be used.
    """
    try:
        parsed = settings.parse(text)
        from anthropic_otel.bundle import render
    except ImportError as error:
        raise _missing(error) from error
    return render.generated(parsed)


def _remembered(target: Path) -> tuple[dict[str, str], dict[str, str | float]]:
    """Returns what was written to the directory before: the SHA-256 of each file by its path, and the options.

    Both are empty if the file that remembers them is missing or cannot be understood. Raises `OSError` if it cannot be
    read.
    """
    try:
        found = json.loads((target / MEMORY).read_text(encoding="utf-8"))
        return dict(found["files"]), dict(found["options"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}, {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
