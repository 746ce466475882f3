"""Every other instrumentation that an app may have, before and after ours, each in an environment of its own."""
