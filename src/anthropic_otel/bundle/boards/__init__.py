"""The dashboards, as data: one module each. Rule: none of them depends on Grafana."""
