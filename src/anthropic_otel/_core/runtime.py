"""What the adapters share: who records, by which clock, and whether anything is to be recorded at all.

Rule: every wrapper consults the runtime on every call, so `active = False` also disables wrappers that other libraries
still reference.
"""

from __future__ import annotations

from anthropic_otel._core.call import Call
from anthropic_otel._core.clock import Clock, SystemClock
from anthropic_otel._core.finalizer import deferred, drain
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.recorder import Recorder
from anthropic_otel._core.send import LoneAttempts
from anthropic_otel._core.tee import Tee


class Runtime:
    """One instrumentation: of the process, or of the clients that were named to it.

    `phases` is whether to listen to the transport's events. `sdk_only` is whether requests to the Messages API that do
    not come from the SDK are left out. `provisional` is whether it only serves recorders that have joined, such as that
    of a test's capture, and the app has not instrumented the process itself.
    """

    __slots__ = ("active", "clock", "phases", "provisional", "recorders", "sdk_only")

    def __init__(
        self,
        *recorders: Recorder,
        clock: Clock | None = None,
        phases: bool = True,
        sdk_only: bool = False,
        provisional: bool = False,
    ) -> None:
        self.recorders = Tee(*recorders)
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.phases = phases
        self.sdk_only = sdk_only
        self.provisional = provisional
        self.active = True

    def adopt(self, other: Runtime) -> None:
        """Takes over the recorders and the settings of `other`, and is not provisional any more."""
        self.recorders.join(other.recorders)
        self.phases, self.sdk_only, self.provisional = other.phases, other.sdk_only, False

    def enabled(self, sdk_tracer_provider: object = None) -> bool:
        """Whether to record what is about to start. As `enabled` of a recorder."""
        if deferred:
            drain()
        return self.active and self.recorders.told.enabled(sdk_tracer_provider)

    def begin_call(self, invocation: Invocation) -> Call:
        """Begins and returns a call that is about to run."""
        call = Call(invocation, self.clock)
        try:
            call.recorder = self.recorders.told.start_call(call)
        except BaseException as interrupt:
            call.method_raised(interrupt)
            raise
        return call

    def lone_attempts(self, resend_count: int) -> LoneAttempts:
        """The attempts of one send without a call. `resend_count` is that of its first attempt."""
        return LoneAttempts(self.recorders.told, self.clock, resend_count)
