"""The command `docs`: the documents that come with the package, with links that lead somewhere."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner, Result

from anthropic_otel.cli.commands import cli
from anthropic_otel.cli.docs.links import resolved
from anthropic_otel.cli.docs.pages import Document, documents, find
from anthropic_otel.cli.why import pages

ALL = list(documents().values())
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def invoke(*arguments: str, columns: int = 80) -> Result:
    return CliRunner().invoke(cli, ["docs", *arguments], env={"COLUMNS": str(columns)})


def test_what_a_user_needs_is_there() -> None:
    """Wherever the package came from: the README, every guide, and what belongs to dashboards and configs."""
    names = {each.name for each in ALL if each.is_guide}
    assert names >= {"readme", "changelog", "usage", "doctor", "run", "telemetry", "simulator", "prefork", "runbooks"}
    assert names >= {"own-retries", "incidents", "performance", "reliability", "dashboards", "collector-config"}
    assert len({each.name for each in ALL}) == len(ALL)


@pytest.mark.parametrize("columns", [60, 80])
def test_the_list_has_a_line_for_each_guide(columns: int) -> None:
    """Its name and its title, within the screen."""
    lines = invoke(columns=columns).output.splitlines()
    listed = lines[: lines.index("")]
    assert [line.split()[0] for line in listed] == [each.name for each in ALL if each.is_guide]
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize("document", ALL, ids=lambda each: each.path)
def test_every_link_leads_somewhere(document: Document) -> None:
    """To another document, to a page of `why`, to what `bundle` writes, or it says that the file is elsewhere."""
    result = invoke(document.name)
    assert result.exit_code == 0
    prose = FENCE.sub("", result.output)
    assert not re.findall(r"\]\((?!https?:)[^)]*\)|<picture|!\[", prose)
    for name in re.findall(r"`anthropic-otel docs (?!NAME)(\S+)`", prose):
        assert find(name) is not None, name
    for word in re.findall(r"\(`anthropic-otel why (?!-)(\S+)`\)", prose):
        assert pages.find(word) is not None, word


def test_links_become_what_there_is_here() -> None:
    """Code stays as it is."""
    text = (
        "[docs/run.md](docs/run.md), [a cause](docs/why/529.md), [all](docs/why), "
        "[a config](collector-config/agent.yaml)\n"
        "[tests](examples/test_retries.py) [above](#start) ![picture](docs/images/a.svg)\n"
        "```sh\n[x](docs/run.md)\n```\n"
    )
    assert resolved(text, "README.md", "") == (
        "`anthropic-otel docs run`, a cause (`anthropic-otel why 529`), all (`anthropic-otel why --list`), "
        "a config (`collector-config/agent.yaml`, which `anthropic-otel bundle` writes)\n"
        "tests (`examples/test_retries.py` in the repository) above picture\n```sh\n[x](docs/run.md)\n```\n"
    )
    away = resolved("[tests](../examples/test_retries.py)", "docs/usage.md", "https://git.example/otel")
    assert away == "tests (https://git.example/otel/blob/main/examples/test_retries.py)"


@pytest.mark.parametrize("name", ["usage", "Usage", "usage.md", "docs/usage.md", "./docs/usage.md"])
def test_a_document_is_found_as_it_is_called(name: str) -> None:
    """By its name, by its file's, or by its path."""
    assert invoke(name).output.startswith("# Using it")


def test_a_folder_is_its_readme() -> None:
    """A folder without one is no name of a document."""
    assert invoke("docs/runbooks/").output == invoke("runbooks").output
    assert invoke("docs").exit_code == 1


def test_an_unknown_name_gets_a_suggestion_and_a_failure() -> None:
    """In one line."""
    result = invoke("usge")
    assert (result.exit_code, result.output) == (1, "Error: no document is named 'usge'. Did you mean: usage\n")
    assert "lists them" in invoke("x" * 500).output


@pytest.mark.parametrize("name", ["apiconectionerror", "APIConectionError", "APICONECTIONERROR"])
def test_a_suggestion_ignores_case(name: str) -> None:
    """The most similar name comes first, however the wrong one and the right one are written."""
    assert "Did you mean: APIConnectionError, " in invoke(name).output
