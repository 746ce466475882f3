"""The names that the API knows: models, versions, beta headers, and the fields of a request.

Rule: a name is known if it is in the tables here, which say what the API took in November 2026, or if the SDK that is
installed has it, so that what is new to the API is known once the SDK is upgraded. The SDK is read as text and never
imported: the simulator is the same whether the SDK was imported before or not, and works without it.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST: Final = 128_000
_OLD: Final = 64_000
MAX_TOKENS_IN_BATCHES: Final = 300_000
"""How many output tokens models of 128,000 have in a batch with the beta header `LONG_OUTPUT`."""
LONG_OUTPUT: Final = "output-300k-2026-03-24"

MODELS: Final = {
    "claude-fable-5-2": MOST,
    "claude-mythos-5-2": MOST,
    "claude-haiku-5-5": MOST,
    "claude-sonnet-5-5": MOST,
    "claude-opus-5-5": MOST,
    "claude-fable-5-1": MOST,
    "claude-mythos-5-1": MOST,
    "claude-opus-5": MOST,
    "claude-sonnet-5": MOST,
    "claude-fable-5": MOST,
    "claude-mythos-5": MOST,
    "claude-opus-4-8": MOST,
    "claude-opus-4-7": MOST,
    "claude-mythos-preview": MOST,
    "claude-opus-4-6": MOST,
    "claude-sonnet-4-6": MOST,
    "claude-opus-4-5-20251101": _OLD,
    "claude-haiku-4-5-20251001": _OLD,
    "claude-sonnet-4-5-20250929": _OLD,
}
"""The most output tokens by model, from the models' pages; the latest model first."""

ALIASES: Final = {
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
}

_RETIRED: Final = re.compile(r"claude-(v?[0-3]\b|instant|4-|(opus|sonnet|haiku)-4-([01]\b|2025))")
"""Models before Claude 4.5, which older SDKs still list, and which the API does not have any more."""

_BEDROCKS: Final = re.compile(r"(?:^|[./])anthropic\.(claude-[a-z0-9-]+?)(?:-v\d+(?::\d+)?)?$")

VERSIONS: Final = frozenset({"2023-01-01", "2023-06-01", "2026-10-21"})
NO_SAMPLING: Final = "2026-10-21"
"""The version from which on requests have no `temperature`, `top_p` and `top_k`."""

_BETAS: Final = frozenset(
    {
        "admin-user-sign-out-2026-10-08",
        "advanced-tool-use-2025-11-20",
        "advisor-tool-2026-03-01",
        "agent-memory-2026-07-22",
        "analytics-usage-cost-2026-08-24",
        "cache-diagnosis-2026-04-07",
        "ce-claude-code-managed-settings-2026-10-06",
        "ce-plugins-2026-09-01",
        "ce-user-management-2026-07-13",
        "claude-code-20250219",
        "code-execution-2025-05-22",
        "code-execution-2025-08-25",
        "compact-2026-01-12",
        "compact-2026-09-04",
        "computer-use-2024-10-22",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "dev-full-thinking-2025-05-14",
        "dreaming-2026-04-21",
        "effort-2025-11-24",
        "efs-2026-10-01",
        "experimental-claude-tag-2026-10-21",
        "extended-cache-ttl-2025-04-11",
        "fallback-credit-2026-06-01",
        "fallback-credit-2026-07-01",
        "fast-mode-2026-02-01",
        "files-api-2025-04-14",
        "fine-grained-tool-streaming-2025-05-14",
        "google-managed-data-controls-2026-09-01",
        "inline-tools-2026-09-15",
        "interleaved-thinking-2025-05-14",
        "managed-agents-2026-04-01",
        "max-tokens-3-5-sonnet-2024-07-15",
        "mcp-client-2025-04-04",
        "mcp-client-2025-11-20",
        "mcp-client-2026-09-15",
        "mcp-tunnels-2026-06-22",
        "message-batches-2024-09-24",
        "message-threads-2026-08-12",
        "mid-conversation-output-config-2026-07-01",
        "mid-conversation-system-clear-at-2026-08-21",
        "mid-conversation-tool-changes-2026-07-01",
        "model-context-window-exceeded-2025-08-26",
        "oauth-2025-04-20",
        "oidc-federation-2026-04-01",
        "output-128k-2025-02-19",
        "output-300k-2026-03-24",
        "pdfs-2024-09-25",
        "prompt-caching-2024-07-31",
        "prompt-caching-scope-2026-01-05",
        "server-side-fallback-2026-06-01",
        "server-side-fallback-2026-07-01",
        "skills-2025-10-02",
        "spend-limit-reads-2026-09-26",
        "structured-outputs-2025-09-17",
        "structured-outputs-2025-11-13",
        "structured-outputs-2025-12-15",
        "task-budgets-2026-03-13",
        "telemetry-destinations-2026-08-11",
        "thinking-binding-controls-2026-08-01",
        "thinking-display-updates-2026-08-18",
        "thinking-token-count-2026-05-13",
        "token-counting-2024-11-01",
        "token-efficient-tools-2025-02-19",
        "tool-examples-2025-10-29",
        "tool-search-tool-2025-10-19",
        "user-profiles-2026-03-24",
        "user-profiles-2026-08-18",
        "user-profiles-2026-09-04",
        "user-profiles-billing-2026-10-01",
        "web-fetch-2025-09-10",
        "web-search-2025-03-05",
        "webhooks-2026-10-07",
    }
)

SAMPLING: Final = frozenset({"temperature", "top_p", "top_k"})

_COUNTED: Final = frozenset(
    {
        "cache_control",
        "context_management",
        "mcp_servers",
        "messages",
        "model",
        "output_config",
        "output_format",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
_FIELDS: Final = _COUNTED | frozenset(
    {
        "billing_policy",
        "compaction",
        "container",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "inference_geo",
        "max_tokens",
        "metadata",
        "service_tier",
        "stop_sequences",
        "stream",
        "thread",
        "user_profile_id",
    }
)
_ON_PLATFORMS: Final = frozenset({"anthropic_version", "anthropic_beta"})


@dataclass(frozen=True, slots=True)
class Known:
    """Which models and beta headers the simulated API has beside those that it knows by itself.

    `None` stands for any.
    """

    models: frozenset[str] | None = frozenset()
    betas: frozenset[str] | None = frozenset()

    def has_model(self, name: str) -> bool:
        """Returns whether the simulated API has a model of that name, by `models` or by `is_model`."""
        return self.models is None or name in self.models or is_model(name)

    def has_beta(self, name: str) -> bool:
        """Returns whether the simulated API has a beta header of that name, by `betas` or by `is_beta`."""
        return self.betas is None or name in self.betas or is_beta(name)


def max_tokens_of(model: str) -> int | None:
    """Returns the most output tokens of a model in `MODELS`, also by its alias; `None` for any other model."""
    return MODELS.get(ALIASES.get(model, model))


def own_name(model: str) -> str:
    """Returns the API's own name of a model that was asked for by an alias, or by Bedrock's or Vertex's name for it.

    Responses have it, such as `claude-haiku-4-5-20251001` for `claude-haiku-4-5`, `claude-haiku-4-5@20251001` and
    `eu.anthropic.claude-haiku-4-5-20251001-v1:0`.
    """
    found = _BEDROCKS.search(model)
    name = re.sub(r"^(claude-[a-z0-9-]+)@(\d{8})$", r"\1-\2", found[1] if found else model)
    return ALIASES.get(name, name)


def is_model(name: str) -> bool:
    """Returns whether the API has a model of that name or alias; the retired ones that the SDK has do not count."""
    return name in MODELS or name in ALIASES or (name in _sdk_models() and not _RETIRED.match(name))


def is_version(value: str) -> bool:
    """Returns whether that is a version of the API."""
    return value in VERSIONS or value in _sdk_versions()


def is_beta(name: str) -> bool:
    """Returns whether the API has a beta header of that name."""
    return name in _BETAS or name in _sdk_betas()


def is_field(name: str, *, counts: bool, platform: bool) -> bool:
    """Returns whether a Messages body may have a field of that name. The fields of the SDK's beta methods count.

    `counts` is whether it is a request to count tokens, and `platform` whether it comes on the path of a platform that
    has the version and the beta headers in the body. The result is false for the names in `SAMPLING`.
    """
    if name in (_COUNTED if counts else _FIELDS) or (platform and name in _ON_PLATFORMS):
        return True
    return name not in _FIELDS | SAMPLING and name in _sdk_fields("count_tokens" if counts else "create")


@functools.lru_cache(maxsize=1)
def sdk() -> Path | None:
    """Returns the folder of the SDK that is installed, or `None` if there is none."""
    spec = importlib.util.find_spec("anthropic")
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def text_of(*names: str) -> str:
    """Returns the text of a file of the SDK, whose path has these parts; an empty text if it cannot be read."""
    folder = sdk()
    try:
        return folder.joinpath(*names).read_text("utf-8") if folder is not None else ""
    except OSError:
        return ""


@functools.lru_cache(maxsize=1)
def _sdk_models() -> frozenset[str]:
    return frozenset(re.findall(r'"(claude-[^"]+)"', text_of("types", "model_param.py")))


@functools.lru_cache(maxsize=1)
def _sdk_betas() -> frozenset[str]:
    return frozenset(re.findall(r'"([a-z0-9-]+)"', text_of("types", "anthropic_beta_param.py")))


@functools.lru_cache(maxsize=1)
def _sdk_versions() -> frozenset[str]:
    return frozenset(re.findall(r'API_VERSION = "([^"]+)"', text_of("_constants.py")))


@functools.lru_cache(maxsize=2)
def _sdk_fields(method: str) -> frozenset[str]:
    """Returns the body's fields that the SDK's `create` or `count_tokens` takes, or the beta method of that name.

    Empty without the SDK.
    """
    found: set[str] = set()
    for folder in ((), ("beta",)):
        text = text_of("types", *folder, f"message_{method}_params.py")
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Message"):
                found |= {
                    item.target.id
                    for item in node.body
                    if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
                }
    return frozenset(found - {"betas", "workspace_id"})  # which the SDK sends as headers
