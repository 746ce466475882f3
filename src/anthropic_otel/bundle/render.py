"""Generates every generated file, as path and text: dashboards, rules, and the files that contain or follow them.

Rule: `generated` is the only list of generated paths, so that the committed files, the bundle and the check in CI
cannot disagree.
"""

from __future__ import annotations

from anthropic_otel.bundle import grafana, kubernetes, pages, rules
from anthropic_otel.bundle.boards import attempts, limits, overview, usage
from anthropic_otel.bundle.panels import Board
from anthropic_otel.bundle.promql import Histograms
from anthropic_otel.bundle.settings import Settings


def boards(settings: Settings) -> tuple[Board, ...]:
    """Returns the four dashboards for these settings: overview, attempts, limits, usage."""
    return overview.board(settings), attempts.board(settings), limits.board(settings), usage.board(settings)


def generated(settings: Settings) -> dict[str, str]:
    """Returns the text of every generated file, by its path relative to `files.root`.

    For native histograms, the documents and configs that have to differ are among them; raises `ValueError` as
    `pages.native` does.
    """
    made = {f"dashboards/{board.name}.json": grafana.render(board, settings) for board in boards(settings)}
    made["dashboards/alerts/rules.yaml"] = rules.prometheus(settings)
    made["dashboards/alerts/prometheus-rule.yaml"] = rules.operator(settings)
    made["dashboards/alerts/grafana-alerting.yaml"] = rules.grafana(settings)
    made.update(kubernetes.generated(made))
    if settings.histograms is Histograms.NATIVE:
        made.update(pages.native())
    return made
