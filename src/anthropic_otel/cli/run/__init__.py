"""`anthropic-otel run -- CMD`: runs any program unchanged, and shows its calls of the Messages API as they happen."""
