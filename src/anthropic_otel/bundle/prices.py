"""The prices of models, taken from the package `genai-prices`, as lines of a thresholds file.

Rule: prices are read only when a user asks for them, and are in the file from then on, with their date and source. No
rule, dashboard or app looks a price up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timezone

from anthropic_otel.bundle.settings import Price, SettingsError

_FEW = 1_000
"""A number of tokens that is below every price tier for long prompts."""
_MANY = 1_000_000


def of_day(models: Iterable[str], day: datetime) -> tuple[str, list[str]]:
    """Returns the name and version of the price source, and the lines with the models' prices on a day.

    A line is an item of a thresholds file's list, such as `- {model: ...}`. A model that is named twice has one line.
    For a model whose price depends on the prompt's length it has the price of short prompts, and a comment before the
    line says so. Raises `SettingsError` for a model without a price or if no model is given, and `ImportError` without
    the package.
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
    """Returns the time whose prices are taken: now, in UTC."""
    return datetime.now(timezone.utc)


_KINDS = [field.name for field in fields(Price) if field.name != "model"]
_USED = {
    "input": {},
    "cache_read": {"cache_read_tokens": 1},
    "cache_write_5m": {"cache_write_tokens": 1},
    "cache_write_1h": {"cache_write_tokens": 1, "cache_write_1h_tokens": 1},
}
"""Which fields of `genai_prices.Usage`, beside `input_tokens`, count the input tokens of each kind."""


def _price(model: str, kind: str, tokens: int, day: datetime) -> str:
    """Returns the price in USD of a million tokens of that kind, as a decimal number without an exponent.

    It is the price in a request with `tokens` input and `tokens` output tokens. Raises `LookupError` for a model
    without a price.
    """
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
    """Returns the id of the provider in `genai-prices` that uses model names of this form.

    It is `aws` for a name with `anthropic.` in it, `google` for one with `@`, else `anthropic`.
    """
    if "anthropic." in model:
        return "aws"
    return "google" if "@" in model else "anthropic"
