"""The names by which the shipped configs delete content, against the names that the SDK gives its own spans."""

from __future__ import annotations

import re
from typing import get_args

import pytest
import yaml

from anthropic_otel.bundle import files

WITHOUT_CONTENT = {
    "gen_ai.agent.id",
    "gen_ai.conversation.id",
    "gen_ai.operation.name",
    "gen_ai.output.type",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.tool.call.id",
    "gen_ai.tool.name",
    "gen_ai.tool.type",
    "gen_ai.usage.input_tokens",
    "anthropic.content.truncated",
    "anthropic.environment.id",
    "anthropic.environment.work.id",
    "anthropic.message.batch.request_count",
    "anthropic.session.id",
    "anthropic.session.thread.id",
    "anthropic.toolset.name",
    "anthropic.usage.compaction.input_tokens",
    "anthropic.usage.compaction.output_tokens",
}
"""What the SDK's spans have that is no content. A name that a new SDK adds is content until it is in here."""


def deleted(config: str) -> list[str]:
    """The patterns of the names of span attributes that a config deletes."""
    statements = yaml.safe_load(files.source(f"collector-config/{config}").read_text())["processors"][
        "transform/content"
    ]["trace_statements"]
    text = "\n".join(one for group in statements for one in group["statements"])
    found = re.findall(r'^delete_matching_keys\(span[.]attributes, "(.*)"\)$', text, re.MULTILINE)
    return [pattern.replace("\\\\", "\\") for pattern in found]


@pytest.mark.parametrize("config", ["agent.yaml", "all-in-one.yaml"])
def test_every_attribute_of_the_sdks_spans_is_deleted_unless_it_is_known_to_have_no_content(config: str) -> None:
    """Those of its content mode, and whatever a newer SDK adds."""
    names = pytest.importorskip("anthropic.lib._tracing._attributes", reason="this SDK makes no spans").AttributeName
    patterns = deleted(config)
    assert len(patterns) >= 3
    matched = {name for name in get_args(names) if any(re.search(pattern, name) for pattern in patterns)}
    assert set(get_args(names)) - matched == WITHOUT_CONTENT & set(get_args(names))
    assert {"gen_ai.input.messages", "gen_ai.request.stop_sequences", "anthropic.tool_result.content"} <= matched
