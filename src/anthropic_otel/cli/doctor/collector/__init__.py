"""Checks the connection to the collector, and what is set about telemetry.

start.py        how an app starts telemetry here, and so which exporter and protocol each signal has
endpoint.py     where a signal is sent, and what is wrong with that URL
over_http.py, over_grpc.py   an empty export by an exporter, or over its channel; outcome.py judges its result
config_file.py  OpenTelemetry's configuration file, and the exporters in it
samplers.py, identity.py, variables.py   the sampler, the service's identity, and other variables
settings.py, connection.py   the two sections
"""
