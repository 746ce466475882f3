"""An app that is not changed, the demo's help desk: the one line stands where the process starts."""

import anthropic_otel
from anthropic_otel.cli.demo.app import HelpDesk

anthropic_otel.instrument(export="console")

desk = HelpDesk()
print(desk.answer("How do I reset my password?"))
print(" ".join(word.strip() for word in desk.speak("Where is my invoice?")))
