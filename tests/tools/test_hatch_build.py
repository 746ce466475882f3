"""What the package's page on an index says: links that work there, made from one address."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("hatchling")

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
ADDRESS = "https://git.example.com/owner/anthropic-otel"


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_with_an_address_every_link_is_absolute(hook: ModuleType) -> None:
    """Those to files and folders of the repository, and the pictures too."""
    made = hook.absolute(README, ADDRESS)
    assert re.findall(r"\]\((?!https?:)[^)]*\)", made) == []
    assert re.findall(r'(?:src|srcset)="(?!https?:)[^"]*"', made) == []
    assert f"]({ADDRESS}/blob/main/docs/usage.md)" in made
    assert f'src="{ADDRESS}/raw/main/docs/images/waterfall-light.svg"' in made
    assert hook.urls(ADDRESS)["Source"] == ADDRESS


def test_without_one_there_is_no_dead_link(hook: ModuleType) -> None:
    """The names stay, the links and the pictures go."""
    made = hook.absolute(README, "")
    assert re.findall(r"\]\((?!https?:)[^)]*\)", made) == []
    assert "<picture>" not in made
    assert "docs/usage.md" in made
    assert hook.urls("") == {}


def test_the_wheel_has_every_document_and_no_picture(hook: ModuleType) -> None:
    """Where `anthropic-otel docs` looks for them."""
    data: dict[str, Any] = {"force_include": {}}
    builder: Any = object.__new__(hook.CustomBuildHook)
    builder._BuildHookInterface__root = str(ROOT)
    builder.initialize("standard", data)
    added = {place.removeprefix("anthropic_otel/bundle/files/") for place in data["force_include"].values()}
    assert added == {"README.md", "CHANGELOG.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))}
    assert all(Path(path).is_file() for path in data["force_include"])
