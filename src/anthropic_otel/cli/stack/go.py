"""Builds the stack's programs with Go, from modules that Go downloads.

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
    """A command of a build failed. The message has the command and the last lines of its output."""


class Recipe(Protocol):
    """How to build one program."""

    @property
    def key(self) -> str:
        """A text that identifies what is built. Another version of it has another key."""

    def build(self, target: Path, work: Path) -> None:
        """Builds the program into the file `target`. `work` is an existing directory for other files.

        Raises `BuildFailed`.
        """


@dataclass(frozen=True, slots=True)
class Module:
    """The recipe of a program in a Go module.

    - `key`: the module and its version, as `MODULE@VERSION`; `package`: the program's path in the module.
    - `flags`: further arguments of `go build`.

    The program is built in the module's own directory, where the module's go.mod and go.sum apply, because `go install`
    refuses a module that has `replace` lines.
    """

    key: str
    package: str
    flags: tuple[str, ...] = ()

    def build(self, target: Path, work: Path) -> None:
        """Downloads the module and builds the program into the file `target`. Raises `BuildFailed`.

        `work` is an existing directory for other files.
        """
        (work / "go.mod").write_text("module anthropic-otel/stack\n")
        source = json.loads(_run(["go", "mod", "download", "-json", self.key], cwd=work))["Dir"]
        _run(["go", "build", *self.flags, "-o", str(target), self.package], cwd=Path(source), GOWORK="off")


@dataclass(frozen=True, slots=True)
class Collector:
    """The recipe of a Collector that has the components in a manifest. OpenTelemetry's own builder builds it.

    `builder` is the builder's Go package, as `PACKAGE@VERSION`; `manifest` is the path of the manifest, as
    `bundle.files.source` takes it.
    """

    builder: str
    manifest: str

    @property
    def key(self) -> str:
        """The builder, and those lines of the manifest that are not blank and do not begin with `#`."""
        lines = self._manifest().splitlines()
        return "\n".join([self.builder, *(line for line in lines if line.strip() and not line.startswith("#"))])

    def build(self, target: Path, work: Path) -> None:
        """Builds the builder and then, with it, the Collector into the file `target`. Raises `BuildFailed`.

        `work` is an existing directory for other files.
        """
        manifest = work / "builder.yaml"
        manifest.write_text(self._manifest().replace("dist:\n", f"dist:\n  output_path: {work}/made\n", 1))
        _run(["go", "install", self.builder], GOBIN=str(work))
        _run([str(work / "builder"), "--config", str(manifest)])
        shutil.move(work / "made" / "otelcol-anthropic-otel", target)

    def _manifest(self) -> str:
        return files.source(self.manifest).read_text(encoding="utf-8")


def _run(command: list[str], cwd: Path | None = None, **environment: str) -> str:
    """Runs a command, with low priority if the command `nice` exists, and returns its standard output.

    `environment` is added to that of this process. Raises `BuildFailed` if the exit status is not 0, and without `nice`
    `OSError` if there is no such command.
    """
    polite = ["nice", *command] if shutil.which("nice") else command
    made = subprocess.run(
        polite, cwd=cwd, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if made.returncode:
        end = "\n  ".join((made.stderr or made.stdout).strip().splitlines()[-8:])
        raise BuildFailed(f"{' '.join(command)} failed:\n  {end}")
    return made.stdout
