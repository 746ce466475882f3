"""The dashboards, as data: a module for each, or for rows and panels of them.

Rule: none of them depends on Grafana.
"""
