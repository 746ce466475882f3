"""Where binaries come from: what is found, what is built, and what is said where neither can be."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from anthropic_otel.bundle import files
from anthropic_otel.cli.stack import binaries, go
from support.waiting import until

from .conftest import StandIns

pytestmark = pytest.mark.without_sdk


@dataclass
class Recipe:
    """Builds an empty file, once it may, or fails."""

    may_end: threading.Event
    fails: bool = False
    key: str = "thing@v1"

    def build(self, target: Path, work: Path) -> None:
        """Builds it."""
        self.may_end.wait()
        (work / "half").touch()
        if self.fails:
            raise go.BuildFailed("go build failed:\n  no space left")
        target.touch()


@pytest.fixture
def may_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Lets a build end. There is a Go, a cache of its own, and nothing else."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "go").touch(0o755)
    return threading.Event()


def component(recipe: go.Recipe) -> binaries.Component:
    """A component that is on no PATH."""
    return binaries.Component("Thing", ("thing",), "a release", recipe, expect="a moment")


def test_a_build_says_that_it_goes_on(may_end: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line before it, one now and then, and one after it with the time that it took."""
    monkeypatch.setattr(binaries, "REPORT_INTERVAL", 0.01)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if "still building" in line:
            may_end.set()

    assert binaries.find(component(Recipe(may_end)), say).exists()
    assert re.fullmatch(r"Thing: not on the PATH; building it into \S+ \(a moment\)", said[0])
    assert re.fullmatch(r"Thing: still building, \d+ s so far", said[1])
    assert re.fullmatch(r"Thing: built in \d+ s", said[-1])


def test_a_build_that_fails_leaves_nothing_that_could_be_taken_for_a_binary(may_end: threading.Event) -> None:
    """The error has the end of what the build printed; the next build starts from nothing."""
    may_end.set()
    failing = component(Recipe(may_end, fails=True))
    with pytest.raises(binaries.Missing, match="no space left"):
        binaries.find(failing, lambda line: None)
    assert binaries.present(failing) is None
    assert list((binaries.cache() / "build").iterdir()) == []
    assert binaries.find(component(Recipe(may_end)), lambda line: None).exists()


def test_two_builds_of_the_same_wait_for_each_other(may_end: threading.Event) -> None:
    """The second says so, and takes what the first has built."""
    said: list[str] = []
    found: list[Path] = []
    first, second = (
        threading.Thread(target=lambda: found.append(binaries.find(component(Recipe(may_end)), said.append)))
        for _ in range(2)
    )
    first.start()
    until(lambda: len(said) == 1)
    second.start()
    until(lambda: len(said) == 2)
    assert said[1] == "Thing: another process is building it; waiting for that"
    may_end.set()
    first.join()
    second.join()
    assert found[0] == found[1]
    assert len([line for line in said if "built in" in line]) == 1


def test_a_comment_in_the_manifest_does_not_call_for_another_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version of a component does."""
    shipped = files.source("collector-config/builder.yaml").read_text()
    recipe = go.Collector("builder@v1", "builder.yaml")
    monkeypatch.setattr(files, "source", lambda name: tmp_path / name)

    def key(manifest: str) -> str:
        (tmp_path / "builder.yaml").write_text(manifest)
        return recipe.key

    assert key(shipped) == key("# Another comment.\n\n" + shipped)
    assert key(shipped) != key(shipped.replace("v0.159.0", "v0.160.0"))


def test_without_a_binary_and_without_go_it_says_what_is_missing_and_how_to_get_it(stand_ins: StandIns) -> None:
    """All of it at once, not one after the other, and nothing is started."""
    for program in stand_ins.bin.iterdir():
        program.unlink()
    for words in (("build",), ("up", "--free-ports")):
        status, _, errors = stand_ins.run(*words)
        assert status == 1
        assert errors.count("Error: ") == 1
        for name, get in (
            ("Prometheus", "apt-get install prometheus"),
            ("Alertmanager", "apt-get install prometheus-alertmanager"),
            ("Collector", "opentelemetry-collector-contrib"),
            ("Jaeger", "a release of Jaeger 2"),
        ):
            assert f"{name}: no " in errors
            assert get in errors
        assert "no Go to build it with" in errors
    assert stand_ins.run("down")[1] == "nothing is up\n"
