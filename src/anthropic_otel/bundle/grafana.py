"""Renders boards as Grafana JSON (schema v1, which Grafana 11 and 12 read and 13 migrates), by Grafana's own builders.

Rule: what every panel and every dashboard must have is set here, so that none can lack it. Importing this needs the
extra `bundle`.
"""

# mypy: disable-error-code="arg-type"
# The builders' enums are StrEnum. The lowest supported Python, for which mypy checks, does not have it.

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable
from typing import Any

from anthropic_otel._core import instruments
from anthropic_otel.bundle import explore
from anthropic_otel.bundle.growth import ERROR
from anthropic_otel.bundle.panels import ALERT, INSTANCE, LIMIT, SEVERITY, VARIABLES, Board, Kind, Panel, Step
from anthropic_otel.bundle.promql import JOB, label, series
from anthropic_otel.bundle.settings import Settings

with warnings.catch_warnings():
    # Schema v1 is chosen on purpose: Grafana 11 and 12 read no other.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.common import (
        BarGaugeDisplayMode,
        BarGaugeNamePlacement,
        BarGaugeSizing,
        BigValueColorMode,
        BigValueGraphMode,
        DataSourceRef,
        GraphThresholdsStyleMode,
        LegendDisplayMode,
        LegendPlacement,
        StackingMode,
        TooltipDisplayMode,
        VizOrientation,
    )
    from grafana_foundation_sdk.models.dashboard import (
        DashboardCursorSync,
        DashboardLinkType,
        DataTransformerConfig,
        DynamicConfigValue,
        FieldColorModeId,
        Threshold,
        ThresholdsMode,
        VariableOption,
        VariableRefresh,
        VariableSort,
    )
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PREFIX = "anthropic-otel-"
TAG = "anthropic-otel"
_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_SOME = 1e-6
"""The threshold above which a value counts as not zero, in any unit."""
_COLUMNS = {ALERT: 240, SEVERITY: 80, INSTANCE: 310, "Value": 110}
"""The widths of the columns that a table must not divide evenly, in pixels."""
_HERE = "${__url_time_range}&${__all_variables}"


def render(board: Board, settings: Settings) -> str:
    """Returns a board as the JSON text of a Grafana dashboard, which ends in a line break."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(PREFIX + board.name)
        .description(board.description)
        .tags([TAG, "claude", "opentelemetry"])
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .variables(list(_variables(settings)))
        .links([_siblings()])
        .annotation(_alerts())
    )
    number = 0
    for row in board.rows:
        number += 1
        made.with_row(dashboard.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            made.with_panel(_panel(panel, settings).id(number))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def _variables(settings: Settings) -> Iterable[Any]:
    yield dashboard.DatasourceVariable("datasource").label("Metrics").type("prometheus")
    started = instruments.ATTEMPT_STARTED.prometheus_name
    everything = series(started, f'{JOB}=~"{settings.job}"') if settings.job else started
    chosen = f'{started}{{{JOB}=~"$job"}}'
    yield _choice("job", "Service", f"label_values({everything}, {JOB})", settings.job or ".*")
    yield _choice("instance", "Instance", f"label_values({chosen}, instance)")
    for attribute, name in VARIABLES.items():
        yield _choice(name, name.capitalize(), f"label_values({chosen}, {label(attribute)})")
    yield dashboard.DatasourceVariable("jaeger").label("Jaeger").type("jaeger")
    yield dashboard.DatasourceVariable("tempo").label("Tempo").type("tempo")


def _choice(name: str, text: str, query: str, everything: str = ".*") -> Any:
    return (
        dashboard.QueryVariable(name)
        .label(text)
        .datasource(_SOURCE)
        .query({"query": query, "refId": name})
        .definition(query)
        .multi(True)
        .include_all(True)
        .all_value(everything)
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _siblings() -> Any:
    return (
        dashboard.DashboardLink("Claude API")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
    )


def _alerts() -> Any:
    return (
        dashboard.AnnotationQuery()
        .name("Alerts")
        .datasource(_SOURCE)
        .enable(True)
        .icon_color("red")
        .expr('ALERTS{component="anthropic-client", alertstate="firing"}')
        .title_format("{{alertname}}")
        .text_format("{{severity}} {{job}}")
    )


def _panel(panel: Panel, settings: Settings) -> Any:
    made = {Kind.STAT: _stat, Kind.BARS: _bars, Kind.LINES: _lines, Kind.TABLE: _table}[panel.kind](panel, settings)
    made = (
        made.title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .unit(_unit(panel))
        .no_value(panel.nothing)
        .thresholds(_thresholds(panel))
        .links(list(_links(panel, settings)))
        .span(panel.width)
        .height(panel.height)
    )
    if panel.decimals is not None:
        made.decimals(panel.decimals)
    if panel.maximum is not None:
        made.max(panel.maximum)
    for name, colour in panel.colours:
        paint = [DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})]
        made = made.override_by_regexp(name, paint) if name.startswith("/") else made.override_by_name(name, paint)
    for index, query in enumerate(panel.queries):
        target = prometheus.Dataquery().ref_id(chr(ord("A") + index)).expr(query.expression).datasource(_SOURCE)
        if panel.kind is Kind.LINES:
            # "Min step", from which Grafana computes $__rate_interval. The data source's scrape interval would be
            # wrong: apps that send by OTLP export at an interval of their own.
            target = target.range().interval(settings.evaluation.export_interval)
        else:
            target = target.instant()
        target.format(PromQueryFormat.TABLE if panel.kind is Kind.TABLE else PromQueryFormat.TIME_SERIES)
        made.with_target(target.legend_format(query.legend or "value").exemplar(query.exemplars))
    return made


def _stat(panel: Panel, settings: Settings) -> Any:
    colours = FieldColorModeId.THRESHOLDS if panel.steps else FieldColorModeId.FIXED
    made = stat.Panel().graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.VALUE)
    return made.color_scheme(_colour(colours))


def _bars(panel: Panel, settings: Settings) -> Any:
    made = bargauge.Panel().orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC).decimals(0)
    # Beside the bars if there are many, because there is no room above them.
    placement = BarGaugeNamePlacement.LEFT if len(panel.queries) > 4 else BarGaugeNamePlacement.TOP
    made = made.min(0).name_placement(placement)
    # Otherwise one bar fills the panel, and ten have no room for their values. So they scroll, with the worst first.
    made.sizing(BarGaugeSizing.MANUAL).min_viz_height(30).max_viz_height(56)
    if len(panel.queries) == 1 and "{{" in panel.queries[0].legend:
        # If there is only one series, Grafana omits its name unless the panel sets one.
        made.display_name(re.sub(r"\{\{(\w+)\}\}", r"${__field.labels.\1}", panel.queries[0].legend))
    return made.color_scheme(_colour(FieldColorModeId.THRESHOLDS) if panel.ink else _by_name())


def _lines(panel: Panel, settings: Settings) -> Any:
    made = (
        timeseries.Panel()
        .min(0)
        .line_width(1)
        .fill_opacity(25 if panel.stacked else 0)
        .color_scheme(_by_name())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.RIGHT if panel.crowded else LegendPlacement.BOTTOM)
            .calcs([panel.extreme])
            .show_legend(True)
        )
    )
    if any(query.legend.startswith(LIMIT) for query in panel.queries):
        dashes = DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [8, 8]})
        made.override_by_regexp(f"/^{LIMIT} /", [dashes])
    if panel.stacked:
        made.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if panel.steps:
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE))
    return made


def _table(panel: Panel, settings: Settings) -> Any:
    names = dict(panel.columns)
    tidy = DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": {name: True for name in ("Time", "Value", JOB) if name not in names},
            "indexByName": {name: index for index, name in enumerate(names)},
            "renameByName": names,
        },
    )
    made = table.Panel().with_transformation(tidy).decimals(0)
    # Otherwise an empty cell would display the text that the panel has for no data.
    made = made.override_by_field_type("string", [DynamicConfigValue(id_val="noValue", value="-")])
    for name in (name for name in names if name in _COLUMNS):
        made = made.override_by_name(names[name], [DynamicConfigValue(id_val="custom.width", value=_COLUMNS[name])])
    if ERROR in names:
        links = DynamicConfigValue(id_val="links", value=[explore.to_jaeger(), explore.to_tempo()])
        made = made.override_by_name(names[ERROR], [links])
    if ALERT in names and settings.links.runbooks.startswith("http"):
        page = f"{settings.links.runbooks.rstrip('/')}/${{__value.raw}}.md"
        made = made.override_by_name(names[ALERT], [DynamicConfigValue("links", [{"title": "Runbook", "url": page}])])
    if SEVERITY in names:
        paint = {settings.severity.page: {"color": "red"}, settings.severity.ticket: {"color": "orange"}}
        values = [
            DynamicConfigValue(id_val="mappings", value=[{"type": "value", "options": paint}]),
            DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}),
        ]
        made = made.override_by_name(names[SEVERITY], values)
    return made.color_scheme(_colour(FieldColorModeId.FIXED))


def _by_name() -> Any:
    return _colour(FieldColorModeId.PALETTE_CLASSIC_BY_NAME)


def _colour(mode: FieldColorModeId) -> Any:
    made = dashboard.FieldColor().mode(mode)
    return made.fixed_color("text") if mode is FieldColorModeId.FIXED else made


def _thresholds(panel: Panel) -> Any:
    steps = panel.steps
    base = "red" if steps and steps[-1].colour == "green" else "green"
    if panel.ink:
        # An empty bar has no colour, as nothing is wrong.
        base, steps = "text", (Step(_SOME, panel.ink),)
    made = [Threshold(value=None, color=base), *(Threshold(value=step.value, color=step.colour) for step in steps)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def _unit(panel: Panel) -> str:
    # With the unit "s" Grafana would switch the axis to minutes, with steps such as 1.17 and 1.33.
    return "suffix:s" if panel.kind is Kind.LINES and panel.unit == "s" else panel.unit


def _links(panel: Panel, settings: Settings) -> Iterable[Any]:
    link = dashboard.DashboardLink(f"Claude API: {panel.drill}").type(DashboardLinkType.LINK)
    yield link.url(f"/d/{PREFIX}{panel.drill}?{_HERE}")
    if panel.shows and settings.links.runbooks.startswith("http"):
        page = f"{settings.links.runbooks.rstrip('/')}/{panel.shows}.md"
        yield dashboard.DashboardLink(f"Runbook: {panel.shows}").type(DashboardLinkType.LINK).url(page)
