"""Dashboards, alert rules, runbooks and Collector configs, and the means to write them out with one's own thresholds.

    from anthropic_otel.bundle import write_bundle
    write_bundle("monitoring", job="shop", slo=99.9)

Rule: what a user has changed is never overwritten without being told to. Importing this needs nothing but
the standard library; other thresholds than the shipped ones need the extra `bundle`.
"""

from anthropic_otel.bundle.write import BundleError, Changed, Written, write_bundle

__all__ = ["BundleError", "Changed", "Written", "write_bundle"]
