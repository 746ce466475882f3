"""Finds the binaries of the stack's programs: on the PATH, else in a cache. Builds missing ones with Go into the cache.

Rule: an error says of every binary that is missing how to get it, or why its build failed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anthropic_otel.cli.stack import go

Say = Callable[[str], None]
"""A callback for a line of progress."""

REPORT_INTERVAL: Final = 30.0
"""Seconds between two lines of progress on a build."""


class Missing(Exception):
    """Binaries were not found, and could not be built. The message says how to get each, or why its build failed."""


@dataclass(frozen=True, slots=True)
class Component:
    """A program that the stack or its tests need.

    - `on_path`: the names that its binary may have on the PATH, the preferred one first.
    - `get`: where to get it, for an error message.
    - `recipe`: how to build it; `None` if this command cannot.
    - `expect`: a text that says how long a build takes.
    - `cached_as`: the binary's name in the cache, which another component may share; if empty, made of `name`.
    """

    name: str
    on_path: tuple[str, ...]
    get: str
    recipe: go.Recipe | None
    expect: str = ""
    cached_as: str = ""


def cache() -> Path:
    """Returns the directory for built binaries and for a running stack's data, which may not exist yet.

    It is `anthropic-otel` in `$XDG_CACHE_HOME`, or in `~/.cache` if that is unset or empty.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "anthropic-otel"


def find(component: Component, say: Say = print) -> Path:
    """Returns the path of a component's binary: on the PATH, else in the cache, where it is built with Go if missing.

    Calls `say` with lines about a build, which takes minutes; waits for one that another process makes. Raises
    `Missing` if the binary is in neither and cannot be built, or its build fails.
    """
    there = present(component)
    if there:
        return there
    if component.recipe is None or shutil.which("go") is None:
        raise Missing(_how_to_get(component))
    target = _cached(component, component.recipe)
    with _locked(target, component.name, say):
        if not target.exists():
            _build(component, component.recipe, target, say)
    return target


def present(component: Component) -> Path | None:
    """Returns the path of a component's binary, on the PATH or else in the cache; `None` if it is in neither."""
    for name in component.on_path:
        path = shutil.which(name)
        if path:
            return Path(path)
    cached = _cached(component, component.recipe) if component.recipe else None
    return cached if cached and cached.exists() else None


def everything(say: Say, components: tuple[Component, ...]) -> dict[str, Path]:
    """Returns the path of each component's binary, on the PATH or in the cache, by the component's name.

    Builds missing ones with Go into the cache, and calls `say` with lines about that. Raises one `Missing`, after the
    last component, for all that could not be found or built.
    """
    found, missing = {}, []
    for component in components:
        try:
            found[component.name] = find(component, say)
        except Missing as error:
            missing.append(str(error))
    if missing:
        raise Missing("\n".join(missing))
    return found


def _how_to_get(component: Component) -> str:
    names = " or ".join(component.on_path)
    no_go = " and there is no Go to build it with (https://go.dev/dl, 1.25 or newer)" if component.recipe else ""
    return f"{component.name}: no {names} on the PATH{no_go}.\n  To get it: {component.get}"


def _cached(component: Component, recipe: go.Recipe) -> Path:
    """Returns the path in the cache for a component's binary, which may not exist.

    The name has a hash of the recipe's key, so that another version is another file.
    """
    digest = hashlib.sha256(recipe.key.encode()).hexdigest()[:12]
    name = component.cached_as or component.name.lower().replace(" ", "-")
    return cache() / "bin" / f"{name}-{digest}"


def _build(component: Component, recipe: go.Recipe, target: Path, say: Say) -> None:
    """Builds a binary in a directory of its own, and then moves it to `target`, so that this is never a partial file.

    The directory, in the cache, is deleted before and after. Calls `say` before the build, every 30 seconds, and after
    one that succeeded. Raises `Missing` if the build fails.
    """
    work = cache() / "build" / target.name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    say(f"{component.name}: not on the PATH; building it into {target} ({component.expect})")
    began = time.monotonic()
    try:
        with _reported(component.name, say):
            recipe.build(work / target.name, work)
        os.replace(work / target.name, target)
    except go.BuildFailed as error:
        raise Missing(str(error)) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"{component.name}: built in {time.monotonic() - began:.0f} s")


@contextmanager
def _locked(target: Path, name: str, say: Say) -> Iterator[None]:
    """Holds the lock of `target` in its block, so that only one process at a time builds it.

    The lock is a file beside `target` with the suffix `.lock`, which stays. Makes the directory of both. If another
    process holds the lock, calls `say` with a line that says so of the program `name`, and waits.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"{name}: another process is building it; waiting for that")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _reported(name: str, say: Say) -> Iterator[None]:
    """While its block runs, calls `say` every 30 seconds, in a thread, with the time that building `name` has taken."""
    ended, began = threading.Event(), time.monotonic()

    def report() -> None:
        while not ended.wait(REPORT_INTERVAL):
            say(f"{name}: still building, {time.monotonic() - began:.0f} s so far")

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


COLLECTOR: Final = Component(
    "Collector",
    ("otelcol-anthropic-otel", "otelcol-contrib"),
    "a release of opentelemetry-collector-contrib, or Go",
    go.Collector("go.opentelemetry.io/collector/cmd/builder@v0.159.0", "collector-config/builder.yaml"),
    "3 to 8 minutes on 2 cores",
)
JAEGER: Final = Component(
    "Jaeger",
    ("jaeger",),
    "a release of Jaeger 2, or Go",
    go.Module("github.com/jaegertracing/jaeger@v1.76.0", "./cmd/jaeger"),
    "3 to 6 minutes on 2 cores; without its web page, which is built apart",
)
_VERSION_3: Final = "github.com/prometheus/prometheus@v0.315.0"
_NO_DISCOVERY: Final = ("-tags", "remove_all_sd")
_PROMETHEUS_3: Final = go.Module(_VERSION_3, "./cmd/prometheus", _NO_DISCOVERY)
_EXPECT_PROMETHEUS: Final = "3 to 6 minutes on 2 cores; without its web page, which is built apart"
PROMETHEUS: Final = Component(
    "Prometheus",
    ("prometheus",),
    "apt-get install prometheus, brew install prometheus, a release of it, or Go",
    _PROMETHEUS_3,
    _EXPECT_PROMETHEUS,
    "prometheus-3",
)
PROMETHEUS_3: Final = Component(
    "Prometheus 3", ("prometheus3",), "a release of Prometheus 3, or Go", _PROMETHEUS_3, _EXPECT_PROMETHEUS
)
ALERTMANAGER: Final = Component(
    "Alertmanager",
    ("prometheus-alertmanager", "alertmanager"),
    "apt-get install prometheus-alertmanager, brew install alertmanager, a release of it, or Go",
    go.Module("github.com/prometheus/alertmanager@v0.28.1", "./cmd/alertmanager"),
    "about a minute on 2 cores",
)
PROMTOOL: Final = Component("promtool", ("promtool",), "apt-get install prometheus, or a release of Prometheus", None)
PROMTOOL_3: Final = Component(
    "promtool 3",
    ("promtool3",),
    "a release of Prometheus 3, or Go",
    go.Module(_VERSION_3, "./cmd/promtool", _NO_DISCOVERY),
    "2 to 3 minutes on 2 cores; less after Prometheus 3, which has most of it",
)
"""The promtool of a Prometheus 3, for tests with native histograms. An older one, as in Debian, cannot read those."""

STACK: Final = (PROMETHEUS, ALERTMANAGER, COLLECTOR, JAEGER)
"""The components that `stack up` runs."""


def major(prometheus: Path) -> int:
    """Runs a Prometheus binary with `--version`, and returns its major version; 3 if the output does not have it.

    Raises `OSError` if it cannot be run.
    """
    said = subprocess.run([str(prometheus), "--version"], capture_output=True, text=True)
    words = (said.stdout + said.stderr).split()
    version = words[words.index("version") + 1] if "version" in words else ""
    # A Prometheus that was built with plain `go build` has no version; here only new ones are built like that.
    return int(version.split(".")[0]) if version[:1].isdigit() else 3
