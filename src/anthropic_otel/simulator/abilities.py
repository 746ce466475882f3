"""Checks a request by what its model can do: its thinking, effort, sampling, speed and length of a reply.

So it does whether a reply can be begun for it.

What each model can do is on the pages of the models and of thinking, effort and fast mode in the API's documentation.
The messages are the API's, as people have met them, but for that about speed and that about thinking which is disabled,
which are ours.

Rule: nothing here raises. Each check yields what it refuses; the first one counts. A model that is not of the API's
names can do everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import Any, Final

from anthropic_otel.simulator import known
from anthropic_otel.simulator.wire import Json

_NAME: Final = re.compile(r"claude-([a-z]+)-(\d)(?:-(\d))?(?:-\d{8})?")
_ADAPTIVE: Final = (4, 6)
"""The first models that think by `adaptive`, and for which no reply can be begun."""
_ONLY_ADAPTIVE: Final = (4, 7)
"""The first models without a budget of thinking and without sampling."""
_MANUAL: Final = (
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" '
    "to control thinking behavior."
)
_ALL_LEVELS: Final = ("high", "low", "max", "medium", "xhigh")
_LEVELS: Final = {("opus", (4, 5)): ("high", "low", "medium"), ("opus", (4, 6)): _ALL_LEVELS[:4]} | {
    ("sonnet", (4, 6)): _ALL_LEVELS[:4]
}
"""The levels of effort by model; models before 4.6 that are not here have none, and later ones have all."""
_FAST: Final = ("claude-fable-5-2", "claude-mythos-5-2", "claude-opus-5-5")
_FAST_IN_PREVIEW: Final = ("claude-opus-5", "claude-opus-4-8")
_FAST_HEADER: Final = "fast-mode-2026-02-01"
_THINKING_PAGE: Final = "https://platform.claude.com/docs/en/build-with-claude/extended-thinking"

Generation = tuple[int, int]


def hides_thinking(body: Json) -> bool:
    """Returns whether a reply has its thinking without the text, as later models have unless they are asked for it."""
    match = _NAME.fullmatch(known.own_name(body.get("model") or ""))
    shown = (body.get("thinking") or {}).get("display") == "summarized"
    return match is not None and (int(match[2]), int(match[3] or 0)) >= _ONLY_ADAPTIVE and not shown


def inability_of(body: Json, betas: Set[str]) -> str | None:
    """Returns the API's message about the first thing that the body's model cannot do, or `None`.

    The types of all fields must have been checked before. `betas` are the beta headers.
    """
    name = known.own_name(body["model"])
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    family, generation = match[1], (int(match[2]), int(match[3] or 0))
    checks = (
        _thinking(body, name, generation),
        _effort(body, family, generation),
        _sampling(body, generation),
        _speed(body, name, betas),
        _begun(body, generation),
    )
    return next((message for check in checks for message in check), None)


def excess_of(body: Json, *, long_output: bool) -> str | None:
    """Returns the API's message about more `max_tokens` than the body's model has, or `None`.

    `long_output` is whether it is in a batch that may have more.
    """
    most = known.max_tokens_of(body["model"])
    if most is not None and long_output:
        most = max(most, known.MAX_TOKENS_IN_BATCHES) if most >= known.MOST else most
    if most is None or body["max_tokens"] <= most:
        return None
    words = "which is the maximum allowed number of output tokens for"
    return f"max_tokens: {body['max_tokens']} > {most}, {words} {known.own_name(body['model'])}"


def _thinking(body: Json, name: str, generation: Generation) -> Iterator[str]:
    kind = (body.get("thinking") or {}).get("type")
    if kind == "enabled" and generation >= _ONLY_ADAPTIVE:
        yield _MANUAL
    if kind == "adaptive" and generation < _ADAPTIVE:
        yield "adaptive thinking is not supported on this model"
    if kind == "disabled" and name == "claude-fable-5":
        yield '"thinking.type.disabled" is not supported for this model.'
    if kind == "enabled" and (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        yield "Thinking may not be enabled when tool_choice forces tool use."


def _effort(body: Json, family: str, generation: Generation) -> Iterator[str]:
    wanted = (body.get("output_config") or {}).get("effort")
    levels = _LEVELS.get((family, generation), _ALL_LEVELS if generation >= _ADAPTIVE else ())
    if wanted is None or wanted in levels:
        return
    if not levels:
        yield "This model does not support the effort parameter."
    else:
        yield f"This model does not support effort level '{wanted}'. Supported levels: {', '.join(levels)}."


def _sampling(body: Json, generation: Generation) -> Iterator[str]:
    """Yields what is wrong with sampling: later models take only what changes nothing, others not all of it at once."""
    temperature, top_p = body.get("temperature"), body.get("top_p")
    thinks = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    if generation >= _ONLY_ADAPTIVE:
        wrong: dict[str, bool] = {
            "temperature": temperature not in (None, 1),
            "top_p": top_p is not None and top_p < 0.99,
            "top_k": body.get("top_k") is not None,
        }
        yield from (f"`{name}` is deprecated for this model." for name, is_wrong in wrong.items() if is_wrong)
    elif temperature is not None and top_p is not None:
        yield "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
    if thinks and temperature not in (None, 1):
        yield (
            "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode. Please consult our "
            f"documentation at {_THINKING_PAGE}"
        )


def _speed(body: Json, name: str, betas: Set[str]) -> Iterator[str]:
    if body.get("speed") is not None and name in _FAST_IN_PREVIEW and _FAST_HEADER not in betas:
        yield "speed: Extra inputs are not permitted"
    elif body.get("speed") == "fast" and name not in (*_FAST, *_FAST_IN_PREVIEW):
        yield "speed: This model does not support fast mode"


def _begun(body: Json, generation: Generation) -> Iterator[str]:
    """Yields a message if the body begins the reply, and its model is none for which one can.

    A turn that a server tool has interrupted may be sent back as it is, to be gone on with.
    """
    last = body["messages"][-1]
    content: Any = last["content"]
    if isinstance(content, list):
        content = content[-1].get("text") if content and content[-1].get("type") == "text" else None
    if last["role"] == "assistant" and isinstance(content, str) and generation >= _ADAPTIVE:
        yield "This model does not support assistant message prefill. The conversation must end with a user message."
