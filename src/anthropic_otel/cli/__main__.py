"""Runs the command line for `python -m anthropic_otel.cli`, as the command `anthropic-otel` does."""

from anthropic_otel.cli import main

main()
