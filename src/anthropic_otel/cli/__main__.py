"""`python -m anthropic_otel.cli`: the same as the command `anthropic-otel`."""

from anthropic_otel.cli import main

main()
