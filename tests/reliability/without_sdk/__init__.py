"""Apps that reach the Messages API without the SDK, each in an environment of its own that has no SDK."""
