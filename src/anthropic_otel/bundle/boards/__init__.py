"""The dashboards, as data: one module each. The one rule here: none of them knows Grafana."""
