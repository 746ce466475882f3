"""A script without OpenTelemetry: one line shows every call on stderr, attempt by attempt, and a summary at the end."""

import anthropic

import anthropic_otel

anthropic_otel.instrument(export="console")

client = anthropic.Anthropic()
message = client.messages.create(
    model="claude-sonnet-5-5",
    max_tokens=300,
    messages=[{"role": "user", "content": "Why is the sky blue?"}],
)
print(message.content[0].text)
