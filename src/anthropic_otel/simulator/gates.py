"""Which fields, blocks and tools need a beta header.

They are those that the SDK has in the types of its beta methods and not in the others, in version 2.14.0. Which header
each needs is on the page of its feature in the API's documentation, or in the name of the header.

Rule: what is in no table here needs none.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final

_COMPACT: Final = ("compact-2026-01-12", "compact-2026-09-04")
_MCP: Final = ("mcp-client-2025-04-04", "mcp-client-2025-11-20", "mcp-client-2026-09-15")
_FALLBACK: Final = ("server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01")
_CONTEXT: Final = ("context-management-2025-06-27",)
_CHANGES: Final = ("mid-conversation-tool-changes-2026-07-01", "inline-tools-2026-09-15")
_BINDING: Final = ("thinking-binding-controls-2026-08-01",)
_OUTPUTS: Final = ("structured-outputs-2025-09-17", "structured-outputs-2025-11-13", "structured-outputs-2025-12-15")
_FIRST_COMPUTER: Final = ("computer-use-2024-10-22",)
_ADVISOR: Final = ("advisor-tool-2026-03-01",)

_FIELDS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("Request", "billing_policy"): ("user-profiles-billing-2026-10-01",),
    ("Request", "compaction"): _COMPACT,
    ("Request", "context_management"): (*_CONTEXT, *_COMPACT),
    ("Request", "fallback_credit_token"): ("fallback-credit-2026-06-01", "fallback-credit-2026-07-01"),
    ("Request", "fallbacks"): _FALLBACK,
    ("Request", "mcp_servers"): _MCP,
    ("Request", "output_format"): _OUTPUTS,
    ("Request", "thread"): ("message-threads-2026-08-12",),
    ("CacheControlEphemeral", "scope"): ("prompt-caching-scope-2026-01-05",),
    ("OutputConfig", "task_budget"): ("task-budgets-2026-03-13",),
    ("SystemMessage", "clear_at"): ("mid-conversation-system-clear-at-2026-08-21",),
    ("SystemMessage", "output_config"): ("mid-conversation-output-config-2026-07-01",),
    ("ThinkingConfigAdaptive", "block_binding"): _BINDING,
    ("ThinkingConfigEnabled", "block_binding"): _BINDING,
}
"""By an object's shape and a field: the headers of which it needs one."""

MORE: Final[dict[str, frozenset[str]]] = {
    "Request": frozenset({"output_format"}),
    "CacheControlEphemeral": frozenset({"scope"}),
}
"""By an object's shape: the fields that the API takes and the SDK's types do not have."""

_OBJECTS: Final[dict[str, tuple[str, ...]]] = {
    "AdvisorTool20260301": _ADVISOR,
    "AdvisorToolResultBlock": _ADVISOR,
    "ClearThinking20251015Edit": _CONTEXT,
    "ClearToolUses20250919Edit": _CONTEXT,
    "Compact20260112Edit": ("compact-2026-01-12",),
    "CompactionBlock": _COMPACT,
    "FallbackBlock": _FALLBACK,
    "MCPToolListingBlock": _MCP,
    "MCPToolUseBlock": _MCP,
    "MCPToolset": _MCP,
    "RequestMCPToolResultBlock": _MCP,
    "RequestToolAdditionBlock": _CHANGES,
    "RequestToolRemovalBlock": _CHANGES,
    "ToolBash20241022": _FIRST_COMPUTER,
    "ToolComputerUse20241022": _FIRST_COMPUTER,
    "ToolComputerUse20250124": ("computer-use-2025-01-24",),
    "ToolComputerUse20251124": ("computer-use-2025-11-24",),
    "ToolTextEditor20241022": _FIRST_COMPUTER,
}
"""By an object's shape: the headers of which it needs one."""


def has_field(shape: str, name: str, betas: Set[str]) -> bool:
    """Returns whether a request with these beta headers may have that field of an object, if the object has it."""
    return _is_open(_FIELDS.get((shape, name)), betas)


def has_object(shape: str, betas: Set[str]) -> bool:
    """Returns whether a request with these beta headers may have an object of that shape."""
    return _is_open(_OBJECTS.get(shape), betas)


def _is_open(needed: tuple[str, ...] | None, betas: Set[str]) -> bool:
    return needed is None or not betas.isdisjoint(needed)
