"""The app that the demo observes: a help desk that uses the Anthropic SDK and has no code for telemetry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic

MODEL = "claude-sonnet-5-5"


class HelpDesk:
    """Answers questions by calling the Messages API with the model `MODEL`.

    The options are those of `anthropic.Anthropic`. `client` is the SDK's client that is made with them, and sends the
    calls.
    """

    def __init__(self, **options: Any) -> None:
        self.client = anthropic.Anthropic(**options)

    def answer(self, question: str) -> str:
        """Returns the text of the answer, which is not streamed. Raises what the SDK raises."""
        message = self.client.messages.create(
            model=MODEL, max_tokens=300, messages=[{"role": "user", "content": question}]
        )
        return "".join(block.text for block in message.content if block.type == "text")

    def speak(self, question: str) -> Iterator[str]:
        """Streams the answer, and yields its text part by part as it arrives. Raises what the SDK raises.

        The API is called when the first part is asked for.
        """
        with self.client.messages.stream(
            model=MODEL, max_tokens=300, messages=[{"role": "user", "content": question}]
        ) as stream:
            yield from stream.text_stream
