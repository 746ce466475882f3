"""Builds programs with Go from the module proxy.

Rule: only Go modules are downloaded, by Go itself, which verifies their checksums.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from anthropic_otel.bundle import files


class BuildFailed(Exception):
    """A command of a build failed. The message has the end of its output."""


class Recipe(Protocol):
    """How to build one program."""

    @property
    def key(self) -> str:
        """Identifies what is built; another version has another key."""

    def build(self, target: Path, work: Path) -> None:
        """Builds the program into the file `target`, with `work` as a directory for other files.

        Raises `BuildFailed`.
        """


@dataclass(frozen=True, slots=True)
class Module:
    """A program in a Go module. `key` is the module with its version, `package` the program's path in it.

    It is built in the module's own directory, where its go.mod and go.sum apply: `go install` refuses a module that has
    `replace` lines.
    """

    key: str
    package: str
    flags: tuple[str, ...] = ()

    def build(self, target: Path, work: Path) -> None:
        """Builds the program into the file `target`. Raises `BuildFailed`."""
        (work / "go.mod").write_text("module anthropic-otel/stack\n")
        source = json.loads(_run(["go", "mod", "download", "-json", self.key], cwd=work))["Dir"]
        _run(["go", "build", *self.flags, "-o", str(target), self.package], cwd=Path(source), GOWORK="off")


@dataclass(frozen=True, slots=True)
class Collector:
    """A Collector with the components of a manifest, built by OpenTelemetry's own builder.

    `builder` is the builder's package with its version; `manifest` is a shipped file.
    """

    builder: str
    manifest: str

    @property
    def key(self) -> str:
        """The builder, and the manifest without comments and empty lines."""
        lines = self._manifest().splitlines()
        return "\n".join([self.builder, *(line for line in lines if line.strip() and not line.startswith("#"))])

    def build(self, target: Path, work: Path) -> None:
        """Builds the Collector into the file `target`. Raises `BuildFailed`."""
        manifest = work / "builder.yaml"
        manifest.write_text(self._manifest().replace("dist:\n", f"dist:\n  output_path: {work}/made\n", 1))
        _run(["go", "install", self.builder], GOBIN=str(work))
        _run([str(work / "builder"), "--config", str(manifest)])
        shutil.move(work / "made" / "otelcol-anthropic-otel", target)

    def _manifest(self) -> str:
        return files.source(self.manifest).read_text(encoding="utf-8")


def _run(command: list[str], cwd: Path | None = None, **environment: str) -> str:
    """Runs a command with low priority and returns its standard output. Raises `BuildFailed`."""
    polite = ["nice", *command] if shutil.which("nice") else command
    made = subprocess.run(
        polite, cwd=cwd, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if made.returncode:
        end = "\n  ".join((made.stderr or made.stdout).strip().splitlines()[-8:])
        raise BuildFailed(f"{' '.join(command)} failed:\n  {end}")
    return made.stdout
