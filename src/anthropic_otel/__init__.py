"""Makes every HTTP attempt of the Anthropic SDK visible as OpenTelemetry spans, metrics and logs."""
