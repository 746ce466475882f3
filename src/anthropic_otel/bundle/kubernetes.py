"""What Kubernetes needs around files that exist already: the Collectors' configs as operator resources, and the
dashboards and rules through kustomize.

The one rule here: no setting of a Collector is written a second time; the resources carry the tested configs.
"""

from __future__ import annotations


def generated(made: dict[str, str]) -> dict[str, str]:
    """The Kubernetes files that are made from other files."""
    return {}
