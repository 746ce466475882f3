"""An OpenTelemetry in which chosen calls raise, everything else being the real SDK.

Rule: a point is a name of OpenTelemetry's own API; what is broken raises every time, and what is called is counted,
so that a test can tell a point that held from one that was never reached.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import context, propagate
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk import metrics as sdk_metrics
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import sampling
from opentelemetry.trace import Span, Tracer, TracerProvider

TRACER: Final = ("get_tracer", "start_span")
SPAN: Final = ("get_span_context", "is_recording", "set_attributes", "set_attribute", "set_status", "end")
METER: Final = ("get_meter", "create_observable_counter", "create_histogram", "create_observable_gauge", "record")
CONTEXT: Final = ("attach", "detach", "get_current")
OTHER: Final = ("inject", "emit", "filter", "on_start", "on_end", "should_sample")
POINTS: Final = (*TRACER, *SPAN, *METER, *CONTEXT, *OTHER)
"""Every point that can be broken."""


class Broken(Exception):
    """What a broken point raises. Its text is that of a library which quotes what it was given."""


class Points:
    """Which points raise, and how often each was reached."""

    def __init__(self, broken: Collection[str]) -> None:
        unknown = set(broken) - set(POINTS)
        assert not unknown, unknown
        self._broken: Final = frozenset(broken)
        self.reached: Final[Counter[str]] = Counter()

    def __call__(self, point: str) -> None:
        self.reached[point] += 1
        if point in self._broken:
            raise Broken(f"{point} is broken")

    def around(self, point: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def reach(*args: Any, **kwargs: Any) -> Any:
            self(point)
            return function(*args, **kwargs)

        return reach


class Proxy:
    """Stands for `real`, with chosen functions of it replaced."""

    def __init__(self, real: Any, **replaced: Any) -> None:
        self.__dict__.update(replaced, _real=real)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_real"], name)


def tracer_provider(points: Points) -> TracerProvider:
    """A provider of the SDK's spans, behind the points, with a processor and a sampler that are points too."""
    real = sdk_trace.TracerProvider(sampler=_sampler(points), shutdown_on_exit=False)
    real.add_span_processor(_Processor(points))

    def get_tracer(*args: Any, **kwargs: Any) -> Any:
        points("get_tracer")
        inner = real.get_tracer(*args, **kwargs)
        return _TracerProxy(inner, start_span=lambda *a, **k: start_span(inner, *a, **k))

    def start_span(inner: Any, *args: Any, **kwargs: Any) -> Any:
        points("start_span")
        span = inner.start_span(*args, **kwargs)
        return _SpanProxy(span, **{name: points.around(name, getattr(span, name)) for name in SPAN})

    provider: TracerProvider = _TracerProviderProxy(real, get_tracer=get_tracer)
    return provider


def _concrete(kind: type[Any]) -> type[Any]:
    """A proxy that is an instance of an abstract class of the API. What the class defines goes to the real object."""
    names = [name for name in vars(kind) if not name.startswith("_")]

    def forward(name: str) -> Any:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return self.__dict__.get(name, getattr(self.__dict__["_real"], name))(*args, **kwargs)

        return method

    body = {name: forward(name) for name in names}
    # As `ABCMeta` makes it, but with nothing left abstract: the functions that begin with "_" are no part of the API.
    cls: Any = type(f"Broken{kind.__name__}", (Proxy, kind), {**body, "__init__": Proxy.__init__})
    cls.__abstractmethods__ = frozenset()
    return cls  # type: ignore[no-any-return]


_SpanProxy = _concrete(Span)
_TracerProxy = _concrete(Tracer)
_TracerProviderProxy = _concrete(TracerProvider)


class _Processor(sdk_trace.SpanProcessor):
    def __init__(self, points: Points) -> None:
        self._points = points

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self._points("on_start")

    def on_end(self, span: Any) -> None:
        self._points("on_end")


def _sampler(points: Points) -> Any:
    return Proxy(sampling.ALWAYS_ON, should_sample=points.around("should_sample", sampling.ALWAYS_ON.should_sample))


def meter_provider(points: Points) -> MeterProvider:
    """A provider of the SDK's instruments, behind the points."""
    real = sdk_metrics.MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)

    def get_meter(*args: Any, **kwargs: Any) -> Any:
        points("get_meter")
        meter = real.get_meter(*args, **kwargs)
        made = {name: points.around(name, getattr(meter, name)) for name in METER if name.startswith("create_")}
        return Proxy(meter, **{name: _instrument(points, create) for name, create in made.items()})

    return Proxy(real, get_meter=get_meter)  # type: ignore[return-value]


def _instrument(points: Points, create: Callable[..., Any]) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Any:
        real = create(*args, **kwargs)
        return Proxy(real, record=points.around("record", real.record)) if hasattr(real, "record") else real

    return make


@contextmanager
def installed(points: Points, logger: logging.Logger) -> Iterator[None]:
    """Puts the points that are not of a provider in their places, for the time of the block."""
    runtime: Any = context._RUNTIME_CONTEXT
    propagator = propagate.get_global_textmap()
    handler = _Handler(points)
    broken = Proxy(runtime, **{name: points.around(name, function) for name, function in _opaque(runtime).items()})
    context._RUNTIME_CONTEXT = broken  # type: ignore[assignment]
    propagate.set_global_textmap(Proxy(propagator, inject=points.around("inject", propagator.inject)))  # type: ignore[arg-type]
    logger.addHandler(handler)
    filtered = (logger, logger.getChild("attempt"))
    for each in filtered:
        each.addFilter(handler.choose)
    try:
        yield
    finally:
        for each in filtered:
            each.removeFilter(handler.choose)
        logger.removeHandler(handler)
        propagate.set_global_textmap(propagator)
        context._RUNTIME_CONTEXT = runtime


def _opaque(runtime: Any) -> dict[str, Callable[..., Any]]:
    """The functions of a context runtime whose tokens are its own, so that only its `detach` can take them off."""

    def attach(current: Any) -> Any:
        return [runtime.attach(current)]

    def detach(token: Any) -> None:
        runtime.detach(token[0])

    return {"attach": attach, "detach": detach, "get_current": runtime.get_current}


class _Handler(logging.Handler):
    """A handler without the standard library's net around `emit`, as some libraries' are."""

    def __init__(self, points: Points) -> None:
        super().__init__()
        self._points = points

    def emit(self, record: logging.LogRecord) -> None:
        self._points("emit")

    def choose(self, record: logging.LogRecord) -> bool:
        self._points("filter")
        return True
