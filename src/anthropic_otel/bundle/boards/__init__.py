"""The dashboards, as data: a module for each, or for rows and panels of them.

Rule: none of them imports Grafana's builders; the module `grafana` renders the data.
"""
