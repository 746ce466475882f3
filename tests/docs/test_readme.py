"""What the documents show works: their code runs, their commands exist, their tables are those of the code."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import anthropic_otel
from anthropic_otel.cli.why.schema import ATTRIBUTES
from anthropic_otel.simulator import Simulator

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
USAGE = (ROOT / "docs/usage.md").read_text("utf-8")
RUN = ("README.md", "docs/usage.md", "docs/simulator.md")
"""The documents whose Python is whole. In others a block stands for a file of the reader's."""

PRELUDE = """
import anthropic, httpx2, anthropic_otel

def answer(client):
    client.messages.create(model="claude-sonnet-5-5", max_tokens=64, messages=[{"role": "user", "content": "Hello"}])

http_client = httpx2.Client()
"""
"""What a reader has before the blocks: an app."""

POSTLUDE = """
with anthropic.Anthropic(http_client=http_client) as client:
    answer(client)
"""
"""What the app does then."""


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / document).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def _python() -> list[object]:
    return [
        pytest.param(block, id=f"{name}-{number}", marks=() if name == "README.md" else (pytest.mark.interpreter,))
        for name in RUN
        for number, block in enumerate(blocks(name, "python"), 1)
    ]


@pytest.mark.parametrize("code", _python())
def test_python_in_a_document_runs(code: str) -> None:
    """Each block on its own, around an app that makes a call afterwards; a warning is an error."""
    pytest.importorskip("httpx2")
    with Simulator() as simulator:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ANTHROPIC_"))
        }
        environment |= {
            "ANTHROPIC_BASE_URL": simulator.base_url,
            "ANTHROPIC_API_KEY": "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "NO_PROXY": "127.0.0.1",
        }
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PRELUDE + code + POSTLUDE],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert len(simulator.requests) == 1


COMMANDS = [
    (document, line.partition("#")[0].strip())
    for document in ("README.md", "docs/usage.md", "docs/simulator.md", "examples/README.md")
    for block in blocks(document, "sh")
    for line in block.splitlines()
]


@pytest.mark.parametrize(("document", "command"), COMMANDS)
def test_a_command_in_a_document_exists(document: str, command: str) -> None:
    """Its target, extra, file or sub-command with these options: each kind of command is known here."""
    words = [word for word in command.split() if not re.match(r"[A-Z_]+=", word) and word not in ("&", "export")]
    match words:
        case ["make", target]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        case ["pip", "install", package]:
            name, _, extra = package.strip("']").partition("[")
            assert name == PROJECT["name"]
            assert not extra or extra in PROJECT["optional-dependencies"]
        case ["anthropic-otel", "why", *words]:
            from anthropic_otel.cli.why.pages import find

            assert words == ["-", "<", "app.log"] or find(words[0]) is not None
        case ["anthropic-otel", sub, *options]:
            done = subprocess.run(
                [sys.executable, "-m", "anthropic_otel.cli", sub, "--help"], capture_output=True, text=True, check=True
            )
            assert not [each for each in options if each.startswith("--") and each not in done.stdout]
        case ["docker", "compose", "-f", path, "up", "-d"]:
            assert (ROOT / path.removeprefix("monitoring/")).is_file()
        case ["python", path]:
            assert (ROOT / path).is_file()
        case ["opentelemetry-instrument", "python", "app.py"] | []:
            pass  # tests/e2e/test_instrumentor.py runs it
        case _:
            pytest.fail(f"nobody checks this command: {command}")


def rows(header: str) -> list[list[str]]:
    """The cells of the table of `docs/usage.md` under that header, without backticks."""
    _, _, rest = USAGE.partition(header + "\n")
    table, _, _ = rest.partition("\n\n")
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]


def test_every_extra_is_listed() -> None:
    """But those by which OpenTelemetry's tools know what is instrumented."""
    listed = {name for name, _ in rows("| extra | for |")}
    assert listed == set(PROJECT["optional-dependencies"]) - {"instruments", "instruments-any"}


def test_every_option_is_listed_with_its_default() -> None:
    """As the signature of `instrument` has them; the providers stand in one row."""
    options = dict(inspect.signature(anthropic_otel.instrument).parameters)
    del options["client"]
    listed = {
        name.strip(" `"): default
        for names, default, _ in rows("| option | default | what it does |")
        for name in names.split(",")
    }
    assert set(listed) == set(options)
    for name, default in listed.items():
        assert default == ("the global ones" if name.endswith("provider") else repr(options[name].default))


def test_every_name_in_the_readme_is_recorded() -> None:
    """An attribute that is written out is one of the schema, or the beginning of several."""
    names = {attribute.name for attribute in ATTRIBUTES}
    for written in re.findall(r"`((?:anthropic|network|gen_ai|error|http)\.[a-z_.]+\*?)`", README + USAGE):
        prefix = written.removesuffix("*")
        assert written in names or (prefix != written and any(name.startswith(prefix) for name in names)), written


def test_every_link_leads_somewhere() -> None:
    """In the tree, that is, and for a heading to one that the page has."""
    pages = (path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    for document in ("README.md", "CONTRIBUTING.md", *pages):
        folder = (ROOT / document).parent
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", (ROOT / document).read_text("utf-8")):
            path, _, heading = link.partition("#")
            assert (folder / path).exists(), f"{document}: {link}"
            if heading:
                text = (folder / path).read_text("utf-8")
                assert re.search(rf"^#+ {heading.replace('-', ' ')}$", text, re.MULTILINE | re.IGNORECASE), link


def test_the_picture_is_what_the_demo_draws() -> None:
    """The README's waterfall, light and dark, is drawn by the code of the demo."""
    check = subprocess.run(
        [sys.executable, str(ROOT / "tools/picture.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stderr
    for name in ("light", "dark"):
        assert f"docs/images/waterfall-{name}.svg" in README


def test_every_picture_is_there() -> None:
    """For light and for dark pages, and told in words to whoever cannot see it."""
    pictures = re.findall(r'(?:src|srcset)="([^"]+)"', README)
    assert len(pictures) == 4
    assert all((ROOT / path).is_file() for path in pictures)
    assert all(len(words) > 80 for words in re.findall(r'alt="([^"]*)"', README))


def test_the_readme_is_a_front_page() -> None:
    """It can be read in one go: under 140 lines."""
    assert len(README.splitlines()) < 140
