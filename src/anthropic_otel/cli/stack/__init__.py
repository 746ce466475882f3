"""The command `stack`: Collector, Jaeger, Prometheus and Alertmanager on one machine, without Docker.

Rule: what `up` starts, `down` ends, and nothing else. It needs Linux or macOS, and no package beyond the extra `cli`.

    commands.py   the options, and what a person is told
    devstack.py   up, down and status
    state.py      what is on disk about a stack that runs, and the lock on it
    processes.py  a recorded process: whether it lives, and how it is ended
    launch.py     the script that every part is started through, so that it is recorded before it runs
    services.py   what each part is given, when it is ready, how it ends
    binaries.py   where the parts' binaries come from; go.py builds them
    panels.py     what the dashboards' panels would show
"""
