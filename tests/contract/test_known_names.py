"""The simulator knows what the installed SDK lets an app write: models, beta headers, the version, and fields.

It reads these from the SDK's files and does not import it, so the files have to be where they are.
"""

from __future__ import annotations

import typing
from typing import Any

import anthropic
import pytest
from anthropic.types import beta as beta_types
from anthropic.types import message_create_params

from anthropic_otel.simulator import known

FORMER = ("claude-1", "claude-2", "claude-3", "claude-instant", "claude-4-", "claude-opus-4-0", "claude-opus-4-1")
"""How models begin that the API does not have any more, and that older SDKs list."""


def _literals(annotation: Any) -> set[str]:
    """The texts in a union of literals."""
    found = {each for each in typing.get_args(annotation) if isinstance(each, str)}
    return found.union(*(_literals(each) for each in typing.get_args(annotation) if typing.get_args(each)))


def test_every_model_that_the_sdk_names_is_known_or_was_retired() -> None:
    """Those of Claude 4 with a date of May 2025 have been retired too."""
    names = _literals(anthropic.types.ModelParam)
    assert names
    retired = {name for name in names if name.startswith(FORMER) or name.endswith("-20250514") or "-4-0" in name}
    assert {name for name in names if known.is_model(name)} == names - retired


def test_every_beta_that_the_sdk_names_is_known() -> None:
    """None that a type checker lets an app write is refused."""
    names = _literals(anthropic.types.AnthropicBetaParam)
    assert names
    assert all(known.is_beta(name) for name in names)


def test_the_version_that_the_sdk_sends_is_known() -> None:
    """Whatever SDK it is, its own requests are taken."""
    with anthropic.Anthropic(api_key="none") as client:
        assert known.is_version(str(client.default_headers["anthropic-version"]))


@pytest.mark.parametrize("types", [message_create_params, beta_types.message_create_params])
def test_every_field_that_the_sdk_sends_is_known(types: Any) -> None:
    """But those of sampling, which depend on the version of the API, and what it sends as headers."""
    fields = set(typing.get_type_hints(types.MessageCreateParamsBase))
    fields -= known.SAMPLING | {"betas", "workspace_id"}
    assert "max_tokens" in fields
    assert all(known.is_field(name, counts=False, platform=False) for name in fields)


def test_what_nobody_knows_is_not_known() -> None:
    """The SDK's files have more texts than names."""
    assert not known.is_model("claude-of-nobody")
    assert not known.is_beta("beta-of-nobody-2026-01-01")
    assert not known.is_version("2026-01-01")
    assert not known.is_field("field_of_nobody", counts=False, platform=False)
