"""Every generated file, as path and text: the dashboards, the rules, and what wraps them for Kubernetes.

Rule: a path that is generated is in `generated` and nowhere else, so that the committed files, the bundle
and the check in CI cannot differ in what they hold to be generated.
"""

from __future__ import annotations

from anthropic_otel.bundle import grafana, kubernetes, pages, rules
from anthropic_otel.bundle.boards import attempts, limits, overview, usage
from anthropic_otel.bundle.panels import Board
from anthropic_otel.bundle.promql import Histograms
from anthropic_otel.bundle.settings import Settings


def boards(settings: Settings) -> tuple[Board, ...]:
    """Every dashboard."""
    return overview.board(settings), attempts.board(settings), limits.board(settings), usage.board(settings)


def generated(settings: Settings) -> dict[str, str]:
    """The text of every generated file, by its path in a checkout."""
    made = {f"dashboards/{board.name}.json": grafana.render(board, settings) for board in boards(settings)}
    made["dashboards/alerts/rules.yaml"] = rules.prometheus(settings)
    made["dashboards/alerts/prometheus-rule.yaml"] = rules.operator(settings)
    made["dashboards/alerts/grafana-alerting.yaml"] = rules.grafana(settings)
    made.update(kubernetes.generated(made))
    if settings.histograms is Histograms.NATIVE:
        made.update(pages.native())
    return made
