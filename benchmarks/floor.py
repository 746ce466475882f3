"""The bare floor: exactly the OpenTelemetry calls that the library makes for one call, and nothing else.

Rule: they are not written down here but recorded from a real run, as source of a straight-line function that makes
the same calls with the same attributes. What only asks (`is_recording`, `get_current`) is left out, and the attributes
are ready-made, so that the floor is rather too low than too high. `python -m benchmarks.floor` prints them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.context import Context

from benchmarks import variants, workload
from benchmarks.workload import Case

_OURS = "anthropic_otel."


class Recording:
    """The calls of one run, as lines of source, and the objects that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.objects: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self.active = False

    def name(self, value: Any, kind: str) -> str:
        """The variable that stands for `value`, which is kept, so that its identity stays its own."""
        if id(value) not in self._names:
            self._names[id(value)] = f"{kind}{len(self.objects)}"
            self.objects[self._names[id(value)]] = value
        return self._names[id(value)]

    def context(self, value: Any) -> str:
        """A context that the library has made; any other one is the app's."""
        return self._names.get(id(value), "parent")

    def argument(self, value: Any) -> str:
        """An argument as source: contexts and what was returned by their names, anything else as it was."""
        if id(value) in self._names:
            return self._names[id(value)]
        if isinstance(value, Context) and not (value and trace.get_current_span(value) is trace.INVALID_SPAN):
            return "parent"
        return repr(value) if value is None or isinstance(value, int | float | str) else self.name(_copy(value), "a")

    def call(self, function: str, arguments: tuple[Any, ...], named: dict[str, Any], result: Any, kind: str) -> None:
        """Adds a call. Its result has a name if a `kind` is given."""
        parts = [*map(self.argument, arguments), *(f"{name}={self.argument(value)}" for name, value in named.items())]
        target = f"{self.name(result, kind)} = " if kind else ""
        self.lines.append(f"{target}{function}({', '.join(parts)})")

    def compiled(self) -> Callable[[Any], None]:
        """The function that makes the calls again, with a parent context."""
        made = {line.partition(" = ")[0] for line in self.lines if " = " in line}
        fixed = {name: value for name, value in self.objects.items() if name not in made}
        source = f"def floor(parent, {', '.join(f'{name}={name}' for name in fixed)}):\n    "
        namespace = dict(fixed)
        exec(source + "\n    ".join(self.lines), namespace)
        compiled: Callable[[Any], None] = namespace["floor"]
        return compiled


def _copy(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value


def _methods() -> list[tuple[Any, str, str]]:
    """What is recorded: its owner, its name, and what its result is called, if it is used."""
    from opentelemetry.sdk import trace as sdk
    from opentelemetry.sdk.metrics import Counter, Histogram

    return [
        (sdk.Tracer, "start_span", "span"),
        (sdk.Span, "set_attributes", ""),
        (sdk.Span, "set_attribute", ""),
        (sdk.Span, "set_status", ""),
        (sdk.Span, "end", ""),
        (_defining(Counter, "add"), "add", ""),
        (_defining(Histogram, "record"), "record", ""),
    ]


def _defining(public: Any, name: str) -> Any:
    """The class that the SDK really makes instruments of is a private subclass of the public one."""
    return next((cls for cls in public.__subclasses__() if name in cls.__dict__), public)


_FUNCTIONS = (
    (context, "attach", "token"),
    (context, "set_value", "context"),
    (trace, "set_span_in_context", "context"),
    (propagate, "inject", ""),
)


def _watch(recording: Recording, original: Callable[..., Any], name: str, kind: str, method: bool) -> Any:
    def watched(*arguments: Any, **named: Any) -> Any:
        ours = recording.active and sys._getframe(1).f_globals["__name__"].startswith(_OURS)
        carrier = arguments[0] if name == "inject" else None
        before = dict(carrier) if carrier is not None else None
        result = original(*arguments, **named)
        if not ours:
            return result
        owner = f"{recording.name(arguments[0], 'o')}.{name}" if method else recording.name(original, name)
        given = arguments[1:] if method else (before, *arguments[1:]) if before is not None else arguments
        recording.call(owner, given, named, result, kind)
        if name == "attach":
            recording.lines.append(f"{recording.name(result, 'token')}.var.reset({recording.name(result, 'token')})")
        return result

    return watched


@contextmanager
def _watched(recording: Recording) -> Iterator[None]:
    places = [*((*place, True) for place in _methods()), *((*place, False) for place in _FUNCTIONS)]
    originals = [(owner, name, getattr(owner, name)) for owner, name, _, _ in places]
    for (owner, name, kind, method), (_, _, original) in zip(places, originals, strict=True):
        setattr(owner, name, _watch(recording, original, name, kind, method))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def record(case: Case, loop: Any) -> Recording:
    """The OpenTelemetry calls that the library makes for one call of a case, when everything is warm."""
    recording = Recording()
    with _watched(recording):
        import anthropic_otel
        from anthropic_otel._otel import metrics

        # Those of the recording before would be used again, and make their calls to what watched it.
        metrics._made.clear()
        anthropic_otel.instrument()
        try:
            client = workload.make_client(case)
            workload.repeat(case, client, 2, None, loop)
            recording.active = True
            workload.repeat(case, client, 1, None, loop)
            recording.active = False
        finally:
            anthropic_otel.uninstrument()
    return recording


def of(case: Case, loop: Any) -> Callable[[], None]:
    """Makes the calls again, below a span such as the SDK's own, or where there is none, below nothing."""
    replay, parent = record(case, loop).compiled(), Context()
    if case.sdk_traces:
        parent = trace.set_span_in_context(trace.get_tracer("benchmarks").start_span("call"), parent)
    return lambda: replay(parent)


def main() -> None:
    """Prints what is recorded for a create and for a stream, with the values of the arguments below."""
    variants.set_up("sampled")
    loop = workload.new_loop()
    for case in (Case("create"), Case("stream", stream=True), Case("create", sdk_traces=False)):
        recording = record(case, loop)
        print(f"# {case}", *recording.lines, sep="\n")
        print(*(f"#   {name} = {value}" for name, value in recording.objects.items() if name[0] == "a"), sep="\n")


if __name__ == "__main__":
    main()
