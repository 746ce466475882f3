"""Draws the dashboards with live data, outside Grafana: `python -m tools.screenshots DIR`."""
