"""Fills in what the package's page on an index needs an address for, and takes the documents into the wheel.

Rule: the address of the repository stands once, in `pyproject.toml` under `[tool.hatch.metadata.hooks.custom]`. Where
it is empty there are no links, and the README has the files' names instead: there a relative link leads nowhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[([^\]]+)\]\((?!https?:|#)([^)\s]+)\)")
_PICTURE = re.compile(r"<picture>.*?</picture>\n*", re.DOTALL)


_FILES = "anthropic_otel/bundle/files"


class CustomBuildHook(BuildHookInterface[Any]):
    """Hatch finds it by its name."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the documents that are in no folder which `pyproject.toml` adds, without the pictures."""
        root = Path(self.root)
        documents = [root / "README.md", root / "CHANGELOG.md", *sorted((root / "docs").glob("*.md"))]
        for path in documents:
            build_data["force_include"][str(path)] = f"{_FILES}/{path.relative_to(root).as_posix()}"


class CustomMetadataHook(MetadataHookInterface):
    """Hatch finds it by its name."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Adds `urls` and `readme`."""
        repository = str(self.config.get("repository", "")).rstrip("/")
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(readme, repository)}
        metadata["urls"] = urls(repository)


def urls(repository: str) -> dict[str, str]:
    """The links of the package's page, none without a repository."""
    if not repository:
        return {}
    return {
        "Documentation": f"{repository}/blob/main/docs/usage.md",
        "Source": repository,
        "Issues": f"{repository}/issues",
        "Changelog": f"{repository}/blob/main/CHANGELOG.md",
    }


def absolute(readme: str, repository: str) -> str:
    """The README with links that work away from the repository."""
    if not repository:
        return _LINK.sub(r"\2", _PICTURE.sub("", readme))
    readme = re.sub(r'((?:src|srcset)=")(?!https?:)', rf"\1{repository}/raw/main/", readme)
    return _LINK.sub(rf"\1[\2]({repository}/blob/main/\3)", readme)
