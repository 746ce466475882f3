"""The dashboards, as data: one module each. Rule: none of them knows Grafana."""
