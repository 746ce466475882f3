"""Dashboards, alert rules, runbooks and Collector configs, written to a directory with the user's own thresholds.

    from anthropic_otel.bundle import write_bundle

    write_bundle("monitoring", job="shop", slo=99.9)

Rule: a file that the user has changed is overwritten only with `force`. Importing this needs only the standard library.
Writing with the shipped thresholds does too; other thresholds need the extra `bundle`.
"""

from anthropic_otel.bundle.write import BundleError, Changed, Written, write_bundle

__all__ = ["BundleError", "Changed", "Written", "write_bundle"]
