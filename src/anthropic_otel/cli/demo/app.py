"""A help desk: an ordinary app on the Anthropic SDK. It knows nothing of telemetry, and is what the demo observes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic

MODEL = "claude-sonnet-5-5"


class HelpDesk:
    """Answers questions. The options are those of `anthropic.Anthropic`."""

    def __init__(self, **options: Any) -> None:
        self.client = anthropic.Anthropic(**options)

    def answer(self, question: str) -> str:
        """The whole answer at once."""
        message = self.client.messages.create(
            model=MODEL, max_tokens=300, messages=[{"role": "user", "content": question}]
        )
        return "".join(block.text for block in message.content if block.type == "text")

    def speak(self, question: str) -> Iterator[str]:
        """The answer word by word, as it comes."""
        with self.client.messages.stream(
            model=MODEL, max_tokens=300, messages=[{"role": "user", "content": question}]
        ) as stream:
            yield from stream.text_stream
