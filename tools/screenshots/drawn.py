"""Has Chromium draw dashboards by Grafana's own components, which npm installs into the cache, outside the tree."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.screenshots.loaded import Input

from anthropic_otel.cli.stack import binaries

PAGE: Final = Path(__file__).parent / "page"
KEPT: Final = binaries.cache() / "screenshots"
"""Where pictures go that are to be looked at."""
_CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
_NEEDED: Final = {"node": "apt-get install nodejs", "npm": "apt-get install npm"}


@dataclass(frozen=True)
class Picture:
    """A picture that was drawn: its file, the text of each panel by its id, what of it is cut, and what went wrong.

    Cut are a title or a name that ends in dots, and a legend that one has to scroll.
    """

    name: str
    file: Path
    panels: dict[int, str]
    cut: dict[int, tuple[str, ...]]
    wrong: tuple[str, ...]


def missing() -> list[str]:
    """The programs that are not on the PATH, and how to get them."""
    found = [f"{name}: {get}" for name, get in _NEEDED.items() if shutil.which(name) is None]
    return found if chromium() else [*found, "chromium: apt-get install chromium"]


def chromium() -> str | None:
    """Where Chromium is, `None` if it is not on the PATH."""
    return next((path for name in _CHROMIUM if (path := shutil.which(name))), None)


def installed() -> Path:
    """The folder with what npm has installed. A lock file that changes makes for another one."""
    lock = (PAGE / "package-lock.json").read_bytes()
    folder = binaries.cache() / f"screenshots-{hashlib.sha256(lock).hexdigest()[:12]}" / "node_modules"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            shutil.copytree(PAGE, work, dirs_exist_ok=True)
            said = subprocess.run(["npm", "ci"], cwd=work, capture_output=True, text=True)
            if said.returncode:
                raise RuntimeError(f"npm ci failed:\n{said.stdout}{said.stderr}")
            # Another process may have been faster.
            if not folder.exists():
                os.replace(Path(work) / "node_modules", folder)
    return folder


def draw(given: Iterable[Input], out: Path) -> list[Picture]:
    """Draws every dashboard into `out`, for light and for dark pages."""
    modules = installed()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        page = shutil.copytree(PAGE, work / "page")
        (page / "node_modules").symlink_to(modules)
        files = []
        for one in given:
            files.append(work / f"{one.name}.json")
            files[-1].write_text(one.text)
        command = ["node", str(page / "draw.mjs"), str(chromium()), str(out.resolve()), *map(str, files)]
        said = subprocess.run(command, capture_output=True, text=True)
        if said.returncode:
            raise RuntimeError(f"{' '.join(command[:2])} failed:\n{said.stdout}{said.stderr}")
    return [_picture(json.loads(line)) for line in said.stdout.splitlines()]


def _picture(told: dict[str, Any]) -> Picture:
    panels = {int(panel["id"]): str(panel["text"]) for panel in told["panels"]}
    cut = {int(panel["id"]): tuple(panel["cut"]) for panel in told["panels"] if panel["cut"]}
    return Picture(told["name"], Path(told["file"]), panels, cut, tuple(told["wrong"]))
