"""Defines what the adapters share: the recorders, the clock, and whether anything is to be recorded at all.

Rule: every wrapper consults the runtime on every call, so `active = False` also disables wrappers that other libraries
still reference.
"""

from __future__ import annotations

from anthropic_otel._core import operations
from anthropic_otel._core.call import Call
from anthropic_otel._core.clock import Clock, SystemClock
from anthropic_otel._core.finalizer import deferred, drain
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.recorder import Recorder
from anthropic_otel._core.send import LoneAttempts
from anthropic_otel._core.tee import Tee


class Runtime:
    """The settings and the recorders of one instrumentation: of the process, or of single clients.

    - `active`: set to `False` to record nothing more that starts.
    - `recorders`: passes calls and attempts on to the recorders that have joined.
    - `clock`: the clock of every duration, the machine's if none is given.
    - `phases`: whether to read the transport's trace events.
    - `sdk_only`: whether to leave out requests of the process that do not come from the SDK. Has no effect for single
      clients.
    - `provisional`: whether the app has not instrumented the process itself, and only recorders that have joined are
      served, such as that of a test's capture.
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
        operations.load()

    def adopt(self, other: Runtime) -> None:
        """Adds the recorders of `other` to this runtime, and copies `phases` and `sdk_only` from `other`.

        Sets `provisional` of this runtime to `False`. A recorder that joins or leaves `other` later joins or leaves
        this runtime too.
        """
        self.recorders.join(other.recorders)
        self.phases, self.sdk_only, self.provisional = other.phases, other.sdk_only, False

    def enabled(self, sdk_tracer_provider: object = None) -> bool:
        """Returns whether the runtime is active and a recorder wants to record what is about to start.

        `sdk_tracer_provider` is as for `Recorder.enabled`. First reports the ends that finalizers have queued.
        """
        if deferred:
            drain()
        return self.active and self.recorders.recorder.enabled(sdk_tracer_provider)

    def begin_call(self, invocation: Invocation) -> Call:
        """Begins a call, whose SDK method is about to run, and returns it. To be called in the app's context.

        Raises only what interrupts it, such as a `KeyboardInterrupt`. The call has ended then.
        """
        call = Call(invocation, self.clock)
        try:
            call.recorder = self.recorders.recorder.start_call(call)
        except BaseException as interrupt:
            call.method_raised(interrupt)
            raise
        return call

    def lone_attempts(self, resend_count: int) -> LoneAttempts:
        """Returns the source of attempts for one send without a call.

        `resend_count` is the retry number in the SDK's header of its first request, 0 without one.
        """
        return LoneAttempts(self.recorders.recorder, self.clock, resend_count)
