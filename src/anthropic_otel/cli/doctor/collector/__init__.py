"""The way to the collector, and what is set about telemetry.

start.py        which start an app takes here, and so which exporter and which protocol for each signal
endpoint.py     where a signal goes, and what is wrong with that URL
over_http.py, over_grpc.py   an empty export by the exporter itself; outcome.py what came of it, judged
samplers.py, identity.py, variables.py, config_file.py   values of variables and of a configuration file
settings.py, way.py          the two sections
"""
