"""An asyncio app with OpenTelemetry providers of its own: calls are within the app's own span, attempts within calls.

Providers may be set before or after `instrument()`.
"""

import asyncio

import anthropic
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

import anthropic_otel

QUESTIONS = ("Why is the sky blue?", "Why is grass green?", "Why is the night dark?")


def one_line(span):
    facts = {name: span.attributes[name] for name in ("error.type", "anthropic.request.id") if name in span.attributes}
    return f"{span.context.trace_id:032x}  {span.name:<26} {(span.end_time - span.start_time) / 1e9:6.3f} s  {facts}\n"


async def answer(client, question):
    async with client.messages.stream(
        model="claude-sonnet-5-5", max_tokens=300, messages=[{"role": "user", "content": question}]
    ) as stream:
        return await stream.get_final_text()


async def main():
    provider = TracerProvider(resource=Resource.create({"service.name": "async-app"}))
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=one_line)))
    trace.set_tracer_provider(provider)
    anthropic_otel.instrument()

    async with anthropic.AsyncAnthropic() as client:
        with trace.get_tracer("async-app").start_as_current_span("three questions"):
            for text in await asyncio.gather(*(answer(client, question) for question in QUESTIONS)):
                print(text)


asyncio.run(main())
