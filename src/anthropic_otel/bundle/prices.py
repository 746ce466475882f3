"""The prices of models, as the package `genai-prices` has them, as lines of a thresholds file.

Rule: prices are read when somebody asks for them, and stand in the file from then on, with their day and their source.
No rule, no dashboard and no app ever looks for one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timezone

from anthropic_otel.bundle.settings import Price, SettingsError

_FEW = 1_000
"""So few tokens are in no tier of long prompts."""
_MANY = 1_000_000


def of_day(models: Iterable[str], day: datetime) -> tuple[str, list[str]]:
    """The source of the prices, and the lines of some models' prices on a day.

    Of a model with tiers by the length of the prompt it is the lowest, and a comment says so. Raises `SettingsError`
    for a model without a price, and ImportError without the package.
    """
    import genai_prices

    source = f"genai-prices {genai_prices.__version__}"
    lines: list[str] = []
    for model in dict.fromkeys(models):
        try:
            found = {tokens: {kind: _price(model, kind, tokens, day) for kind in _KINDS} for tokens in (_FEW, _MANY)}
        except LookupError as error:
            raise SettingsError(
                f"{source} has no price of the model {model!r}. Leave it out, and its tokens are shown as not priced, "
                "or write its price into a thresholds file of your own"
            ) from error
        lines += [f"# {model}: more for long prompts; these are the prices of short ones."] * (
            found[_FEW] != found[_MANY]
        )
        shown = ", ".join(f"{kind}: {price}" for kind, price in found[_FEW].items())
        name = model if model.replace("-", "").replace(".", "").isalnum() else f"'{model}'"
        lines.append(f"- {{model: {name}, {shown}}}")
    if not lines:
        raise SettingsError("no model is named: --prices claude-opus-5-5,claude-sonnet-5-5")
    return source, lines


def today() -> datetime:
    """The day whose prices are taken."""
    return datetime.now(timezone.utc)


_KINDS = [field.name for field in fields(Price) if field.name != "model"]
_USED = {
    "input": {},
    "cache_read": {"cache_read_tokens": 1},
    "cache_write_5m": {"cache_write_tokens": 1},
    "cache_write_1h": {"cache_write_tokens": 1, "cache_write_1h_tokens": 1},
}
"""What of the input tokens a kind is, in the names of `genai-prices`."""


def _price(model: str, kind: str, tokens: int, day: datetime) -> str:
    """The price of a million tokens, of a request with so many."""
    import genai_prices

    used = dict.fromkeys(_USED.get(kind, {}), tokens)
    found = genai_prices.calc_price(
        genai_prices.Usage(input_tokens=tokens, output_tokens=tokens, **used),
        model,
        provider_id=_provider(model),
        genai_request_timestamp=day,
    )
    price = found.output_price if kind == "output" else found.input_price
    return f"{(price * 1_000_000 / tokens).normalize():f}"


def _provider(model: str) -> str:
    """Whose price list has a name of this form: Amazon Bedrock's, Google's, or Anthropic's own."""
    if "anthropic." in model:
        return "aws"
    return "google" if "@" in model else "anthropic"
