"""The command `stack`: runs Collector, Jaeger, Prometheus and Alertmanager on one machine, without Docker.

It also runs Grafana if that is on the PATH, and the demo's app if the packages for it are installed.

Rule: `down` ends what `up` started, and nothing else. The command needs Linux or macOS, and no package beyond the extra
`cli`.

    commands.py   the options, and error messages
    devstack.py   up, down and status
    state.py      the files about a running stack, and the lock on it
    processes.py  a recorded process: whether it runs, and how it is ended
    launch.py     the script that starts each program, so that its process is recorded before it runs
    services.py   each program's command, and when it is ready; service.py starts and stops one
    binaries.py   finds the programs' binaries; go.py builds them
    layout.py     directories, ports and addresses; guide.py the text that says what to open
    panels.py     what the dashboards' panels would show, in short
"""
