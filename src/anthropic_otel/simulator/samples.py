"""Makes a value for a JSON schema, for the input of a tool and for structured outputs.

Rule: a schema comes from a client and may be wrong, recursive or huge. A value is bounded in size, and nothing here
raises.
"""

from __future__ import annotations

from typing import Any, Final

from anthropic_otel.simulator.wire import Json

_MAX_DEPTH: Final = 32
_MAX_VALUES: Final = 10_000
_WORD: Final = "simulated"


def sample(schema: Json) -> Any:
    """Returns a small value for the schema, by these rules:

    - Of the keywords `$ref`, `anyOf`, `oneOf`, `allOf`, `const` and `enum` the first in this order decides; without
      any, `properties` makes it an object, else the type decides. Of several choices or types the first one is taken.
      `$ref` is looked up in the root's `$defs` by its last part, and `const` is taken as it is.
    - An object has its `required` properties, or all if `required` is missing.
    - An array is empty, or has one item if `minItems` is above 0. A number is `minimum`, or 1. A boolean is true. Null
      is `None`. Everything else is the string `simulated`.
    - Other keywords, such as `pattern`, are ignored.
    - Where the schema is nested more than 32 deep or the value has more than 10,000 parts, the rest is `None`.
    """
    return _Sampler(schema).value(schema, 0)


class _Sampler:
    def __init__(self, root: Json) -> None:
        self._definitions = root.get("$defs")
        self._left = _MAX_VALUES

    def value(self, schema: Any, depth: int) -> Any:
        """Returns a value for a subschema that is nested `depth` deep, by the rules of `sample`.

        Every call counts as one value. `None` beyond the bounds of depth and number. A subschema that is no dictionary
        gives a string.
        """
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            return None
        if not isinstance(schema, dict):
            return _WORD
        if "$ref" in schema:
            return self.value(self._named(schema["$ref"]), depth + 1)
        for key in ("anyOf", "oneOf", "allOf"):
            if isinstance(choices := schema.get(key), list) and choices:
                return self.value(choices[0], depth + 1)
        if "const" in schema:
            return schema["const"]
        if isinstance(choices := schema.get("enum"), list) and choices:
            return choices[0]
        return self._of_type(schema, depth)

    def _named(self, reference: object) -> Any:
        if not isinstance(reference, str) or not isinstance(self._definitions, dict):
            return {}
        return self._definitions.get(reference.rsplit("/", 1)[-1], {})

    def _of_type(self, schema: Json, depth: int) -> Any:
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) and kind else kind
        if kind == "object" or "properties" in schema:
            return self._object(schema, depth)
        if kind == "array":
            return [self.value(schema.get("items") or {}, depth + 1)] if schema.get("minItems") else []
        if kind in ("integer", "number"):
            return schema.get("minimum", 1)
        return {"boolean": True, "null": None}.get(str(kind), _WORD)

    def _object(self, schema: Json, depth: int) -> Json:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        required = schema.get("required", list(properties))
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        return {name: self.value(properties.get(name, {}), depth + 1) for name in names}
