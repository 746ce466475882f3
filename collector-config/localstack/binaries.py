"""Where the components' binaries come from: the PATH, else a cache, else built with Go into that cache.

The one rule here: what cannot be had is said in full, with what to do about it; nothing is downloaded but Go modules,
by Go itself, which verifies their checksums.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONFIGS = Path(__file__).resolve().parent.parent
MANIFEST = CONFIGS / "builder.yaml"
TELL_EVERY = 30.0
"""Seconds between two lines on a build that goes on."""
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.159.0"


class Missing(Exception):
    """A binary that is not there and cannot be built. The message says how to get it."""


@dataclass(frozen=True)
class Component:
    """One component: its names on a PATH, where else to get it, and how to build it (None: not with Go alone).

    `cached_as` is its name in the cache where that is another's, too.
    """

    name: str
    on_path: tuple[str, ...]
    get: str
    build: Callable[[Path], None] | None
    key: str = ""
    expect: str = ""
    cached_as: str = ""


def cache() -> Path:
    """The directory for what is built, outside any source tree."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "anthropic-otel"


def find(component: Component, say: Callable[[str], None] = print) -> Path:
    """The binary of a component, built first if need be. Raises `Missing`."""
    there = present(component)
    if there:
        return there
    if component.build is None or shutil.which("go") is None:
        why = (
            "" if component.build is None else " and there is no Go to build it with (https://go.dev/dl, 1.25 or newer)"
        )
        names = " or ".join(component.on_path)
        raise Missing(f"{component.name}: no {names} on the PATH{why}.\n  To get it: {component.get}")
    target = _cached(component)
    target.parent.mkdir(parents=True, exist_ok=True)
    say(f"{component.name}: not on the PATH; building it into {target} ({component.expect})")
    began = time.monotonic()
    with _told(say, component.name):
        component.build(target)
    say(f"{component.name}: built in {time.monotonic() - began:.0f} s")
    return target


@contextmanager
def _told(say: Callable[[str], None], name: str) -> Iterator[None]:
    """Says that it still goes on, so that nobody takes minutes of silence for a hang."""
    ended, began = threading.Event(), time.monotonic()

    def tell() -> None:
        while not ended.wait(TELL_EVERY):
            say(f"{name}: still building, {time.monotonic() - began:.0f} s so far")

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def present(component: Component) -> Path | None:
    """The binary of a component if it is on the PATH or has been built; None if not."""
    for name in component.on_path:
        path = shutil.which(name)
        if path:
            return Path(path)
    cached = _cached(component)
    return cached if cached.exists() else None


def _cached(component: Component) -> Path:
    """The name has a hash of what it is built from, so that another version is another file."""
    digest = hashlib.sha256(component.key.encode()).hexdigest()[:12]
    name = component.cached_as or component.name.lower().replace(" ", "-")
    return cache() / "bin" / f"{name}-{digest}"


def _run(command: list[str], cwd: Path | None = None, **environment: str) -> str:
    """Runs a command politely. Raises `Missing` with the end of what it said if it fails."""
    polite = ["nice", *command] if shutil.which("nice") else command
    made = subprocess.run(
        polite, cwd=cwd, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if made.returncode:
        end = "\n  ".join((made.stderr or made.stdout).strip().splitlines()[-8:])
        raise Missing(f"{' '.join(command)} failed:\n  {end}")
    return made.stdout


def _build_collector(target: Path) -> None:
    """By OpenTelemetry's own builder, from our manifest."""
    work = cache() / "build" / target.name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    manifest = work / "builder.yaml"
    manifest.write_text(MANIFEST.read_text().replace("dist:\n", f"dist:\n  output_path: {work}/made\n", 1))
    _run(["go", "install", BUILDER], GOBIN=str(work))
    _run([str(work / "builder"), "--config", str(manifest)])
    shutil.move(work / "made" / "otelcol-anthropic-otel", target)
    shutil.rmtree(work, ignore_errors=True)


def _module(module: str, package: str, *flags: str) -> Callable[[Path], None]:
    """A build in a module's own directory, where its go.mod and go.sum hold.

    `go install` refuses a module that has `replace` lines.
    """

    def build(target: Path) -> None:
        work = cache() / "build" / target.name
        work.mkdir(parents=True, exist_ok=True)
        (work / "go.mod").write_text("module anthropic-otel/stack\n")
        source = json.loads(_run(["go", "mod", "download", "-json", module], cwd=work))["Dir"]
        _run(["go", "build", *flags, "-o", str(target), package], cwd=Path(source), GOWORK="off")
        shutil.rmtree(work, ignore_errors=True)

    return build


_JAEGER = "github.com/jaegertracing/jaeger@v1.76.0"
_ALERTMANAGER = "github.com/prometheus/alertmanager@v0.28.1"
_PROMETHEUS = "github.com/prometheus/prometheus@v0.315.0"

COLLECTOR = Component(
    "Collector",
    ("otelcol-anthropic-otel", "otelcol-contrib"),
    "a release of opentelemetry-collector-contrib, or Go",
    _build_collector,
    BUILDER + MANIFEST.read_text(),
    "3 to 8 minutes on 2 cores",
)
JAEGER = Component(
    "Jaeger",
    ("jaeger",),
    "a release of Jaeger 2, or Go",
    _module(_JAEGER, "./cmd/jaeger"),
    _JAEGER,
    "3 to 6 minutes on 2 cores; its web page is a placeholder, as that is built apart",
)
_BUILD_PROMETHEUS = _module(_PROMETHEUS, "./cmd/prometheus", "-tags", "remove_all_sd")
_ITS_PAGE = "its web page is missing, as that is built apart"
PROMETHEUS = Component(
    "Prometheus",
    ("prometheus",),
    "apt-get install prometheus, brew install prometheus, a release of it, or Go",
    _BUILD_PROMETHEUS,
    _PROMETHEUS,
    f"3 to 6 minutes on 2 cores; {_ITS_PAGE}",
    "prometheus-3",
)
PROMETHEUS_3 = Component(
    "Prometheus 3",
    ("prometheus3",),
    "a release of Prometheus 3, or Go",
    _BUILD_PROMETHEUS,
    _PROMETHEUS,
    f"3 to 6 minutes on 2 cores; {_ITS_PAGE}",
)
ALERTMANAGER = Component(
    "Alertmanager",
    ("prometheus-alertmanager", "alertmanager"),
    "apt-get install prometheus-alertmanager, brew install alertmanager, a release of it, or Go",
    _module(_ALERTMANAGER, "./cmd/alertmanager"),
    _ALERTMANAGER,
    "about a minute on 2 cores",
)
PROMTOOL = Component("promtool", ("promtool",), "apt-get install prometheus, or a release of Prometheus", None)


STACK = (PROMETHEUS, ALERTMANAGER, COLLECTOR, JAEGER)
"""What `stack.py up` runs."""


def major(prometheus: Path) -> int:
    """The major version of a Prometheus."""
    said = subprocess.run([str(prometheus), "--version"], capture_output=True, text=True)
    words = (said.stdout + said.stderr).split()
    version = words[words.index("version") + 1] if "version" in words else ""
    # A Prometheus that was built by hand knows no version; only new ones are built that way here.
    return int(version.split(".")[0]) if version[:1].isdigit() else 3


def everything(say: Callable[[str], None] = print, components: tuple[Component, ...] = STACK) -> dict[str, Path]:
    """The binaries of some components, by name. Raises `Missing` that lists all that is missing, not only the first."""
    found, missing = {}, []
    for component in components:
        try:
            found[component.name] = find(component, say)
        except Missing as error:
            missing.append(str(error))
    if missing:
        raise Missing("\n".join(missing))
    return found
