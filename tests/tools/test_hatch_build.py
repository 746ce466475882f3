"""What the package's page on an index says: links that work there, made from one address."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

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
