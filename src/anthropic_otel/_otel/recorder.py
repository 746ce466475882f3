"""Implements the recorder of OpenTelemetry: it makes spans, metrics and logs of calls and attempts.

Rule: what a tracer, a meter or a log handler raises is caught in the recorders, that of spans apart from that of
metrics: if a tracer fails, the metrics remain. A context is attached in the app's own execution context, and detached
there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Tracer

from anthropic_otel._core import semconv
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.guard import guarded, log
from anthropic_otel._core.recorder import AttemptRecorder, CallRecorder
from anthropic_otel._core.settings import Settings
from anthropic_otel._otel import context, logs, providers
from anthropic_otel._otel.attempt_recorder import OtelAttemptRecorder
from anthropic_otel._otel.call_recorder import OtelCallRecorder
from anthropic_otel._otel.metrics import Metrics, metrics_of
from anthropic_otel._version import __version__


class OpenTelemetryRecorder:
    """The `Recorder` of OpenTelemetry, for one instrumentation. Thread-safe. No method of that interface raises.

    - `settings`: those of the instrumentation, with `None` for a provider that stands for the global one.
    - `tracer`: makes the spans, unless the SDK client's provider is followed; see `tracer_of`. A no-op if it could not
      be made.
    - `metrics`: measures, `None` if metrics are off or could not be made.
    - `counts_tokens`: whether tokens are counted, except where another instrumentation may count them.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings: Final = providers.with_global(settings)
        settings = self.settings
        self.tracer: Final = _tracer(settings)
        self.metrics: Final = _metrics(settings) if settings.metrics else None
        self.counts_tokens: Final = settings.usage and self.metrics is not None
        self._followed: tuple[Callable[[], object], Tracer] = (lambda: None, self.tracer)
        """A reference to the last SDK client's provider that was followed, and our tracer of that."""
        self._has_provider = False
        self._warned_of_no_provider = False
        self._warned: Final[set[str]] = set()

    def enabled(self, sdk_tracer_provider: object = None) -> bool:
        return self._has_provider or self._has_receiver(sdk_tracer_provider)

    @guarded(False)
    def _has_receiver(self, sdk_tracer_provider: object) -> bool:
        """Returns whether a provider, or with `settings.logs` a log handler, receives what is recorded.

        `True` at once if `sdk_tracer_provider` is followed. Else sets `_has_provider` if a provider is set that every
        call uses, and if none is, warns once. To be asked at each call until `_has_provider` is set, as an app may set
        a provider later. `False` on a failure.
        """
        if self.follows(sdk_tracer_provider):
            return True
        if not providers.is_noop(self.settings.tracer_provider, self.settings.meter_provider):
            self._has_provider = True
            return True
        if not self._warned_of_no_provider:
            self._warned_of_no_provider = True
            providers.warn_no_provider()
        return self.settings.logs and logs.has_handler()

    def start_call(self, call: Call) -> CallRecorder:
        return OtelCallRecorder(self, call)

    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        return OtelAttemptRecorder(self, attempt)

    def follows(self, sdk_tracer_provider: object) -> bool:
        """Returns whether our spans go to `sdk_tracer_provider`, which is that of an SDK client's own call span.

        `False` for `None`, a no-op, and if `instrument` was given a tracer provider, which takes precedence.
        """
        if sdk_tracer_provider is None or self.settings.tracer_provider is not None:
            return False
        return not providers.is_noop_tracer_provider(sdk_tracer_provider)

    def tracer_of(self, sdk_tracer_provider: Any) -> Tracer:
        """Returns the tracer for our spans in a call: of `sdk_tracer_provider` if that is followed, else `tracer`."""
        if not self.follows(sdk_tracer_provider):
            return self.tracer
        provider, tracer = self._followed
        if provider() is not sdk_tracer_provider:
            # Making a tracer takes as long as making a span.
            tracer = trace.get_tracer(semconv.SCOPE, __version__, sdk_tracer_provider)
            self._followed = providers.reference_to(sdk_tracer_provider), tracer
        return tracer

    def makes_spans(self, current: Context) -> bool:
        """Returns whether no other library suppresses instrumentation in this context, so that spans may be made.

        This recorder warns the first time that it finds it suppressed.
        """
        if not context.suppressed(current):
            return True
        self._warn_once(
            "Another library suppresses instrumentation around calls of the Messages API: they have metrics and "
            "logs, but no spans. Let anthropic_otel alone instrument the Anthropic SDK to have spans"
        )
        return False

    def warn_of_two_providers(self, sdk_provider: object) -> None:
        """Warns once if the SDK's call spans go to another provider than the one that `instrument` was given.

        Never if `instrument` was given none. `sdk_provider` is the provider itself: `None` does not stand for the
        global one.
        """
        own = self.settings.tracer_provider
        if own is not None and sdk_provider is not own:
            self._warn_once(
                "The Anthropic SDK sends its call spans to another tracer provider than anthropic_otel its attempts. "
                "Pass the same tracer_provider to both, or to none"
            )

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            log.warning(text)


@guarded(trace.NoOpTracer())
def _tracer(settings: Settings) -> Tracer:
    return trace.get_tracer(semconv.SCOPE, __version__, settings.tracer_provider)


@guarded(None)
def _metrics(settings: Settings) -> Metrics | None:
    return metrics_of(settings.meter_provider)
