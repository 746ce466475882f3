"""`anthropic-otel stack` from the outside: what `up` starts, `down` ends, however `up` itself ended."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from anthropic_otel.bundle import write_bundle
from support.waiting import until

from .conftest import PARTS, StandIns

pytestmark = pytest.mark.without_sdk


def test_up_starts_everything_and_down_ends_it(stand_ins: StandIns) -> None:
    """And both can be said again: a second time nothing is left to do."""
    status, output, _ = stand_ins.up()
    assert status == 0
    assert sorted(stand_ins.alive()) == sorted(PARTS)
    pids = {name: stand_ins.pid(name) for name in PARTS}

    status, again, _ = stand_ins.up()
    assert (status, again.splitlines()[0]) == (0, "already up:")
    assert {name: stand_ins.pid(name) for name in PARTS} == pids
    assert again.partition("Send telemetry")[2] == output.partition("Send telemetry")[2]

    assert stand_ins.run("down") == (0, "ended: collector, prometheus, alertmanager, jaeger\n", "")
    assert stand_ins.alive() == []
    assert stand_ins.run("down") == (0, "nothing is up\n", "")
    assert stand_ins.run("status") == (1, "nothing is up\n", "")


def test_down_where_nothing_was_ever_up_changes_nothing(stand_ins: StandIns) -> None:
    """One line, and no directory is made."""
    assert stand_ins.run("down") == (0, "nothing is up\n", "")
    assert not stand_ins.work.exists()


def test_a_grafana_without_its_home_directory_is_named(stand_ins: StandIns) -> None:
    """With the variable that says where it is; what had been started is ended."""
    stand_ins.install("grafana")
    status, _, errors = stand_ins.up()
    assert status == 1
    assert errors == (
        f"Error: {stand_ins.bin / 'grafana'}: Grafana's home directory was not found; set GF_PATHS_HOME to it\n"
    )
    assert stand_ins.alive() == []


def test_down_ends_what_is_left_of_an_up_that_was_killed_in_the_middle(stand_ins: StandIns) -> None:
    """Two parts run, and the one that was just being started does, too; `up` refuses to start on top of them."""
    stand_ins.let("prometheus", "hang")
    with stand_ins.starting("up", "--free-ports", "--no-story") as starting:
        stand_ins.pid("prometheus")
        starting.end(signal.SIGKILL)
    left = ["jaeger", "prometheus", "prometheus-alertmanager"]
    assert sorted(stand_ins.alive()) == left

    assert stand_ins.run("status")[1].startswith("the start has not finished, or was killed:\njaeger: process ")
    status, _, errors = stand_ins.up()
    assert status == 1
    assert "an earlier start was killed, and jaeger, alertmanager, prometheus still runs. First run: " in errors
    assert f"stack down --work {stand_ins.work}" in errors
    assert sorted(stand_ins.alive()) == left

    assert stand_ins.run("down") == (0, "ended: prometheus, alertmanager, jaeger\n", "")
    assert stand_ins.alive() == []


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
    ids=lambda number: number.name,
)
def test_an_up_that_is_interrupted_ends_what_it_has_started(stand_ins: StandIns, number: signal.Signals) -> None:
    """By Ctrl+C, by a supervisor, by a terminal that is closed: also the part that was just being started."""
    stand_ins.let("prometheus", "hang")
    with stand_ins.starting("up", "--free-ports", "--no-story") as starting:
        stand_ins.pid("prometheus")
        status, _, errors = starting.end(number)
    assert (status, errors) == (1, "Error: interrupted; what had been started is ended\n")
    assert stand_ins.alive() == []
    assert stand_ins.run("down")[1] == "nothing is up\n"


@pytest.mark.slow
def test_down_ends_an_up_that_still_starts(stand_ins: StandIns) -> None:
    """Meanwhile a second `up` says who is at it."""
    stand_ins.let("prometheus", "hang")
    with stand_ins.starting("up", "--free-ports", "--no-story") as starting:
        stand_ins.pid("prometheus")
        status, _, errors = stand_ins.up()
        assert status == 1
        assert f"process {starting.process.pid} is already starting the stack. Wait for it, or run: " in errors
        assert stand_ins.run("down") == (0, "ended: a start that had not finished\n", "")
        assert starting.end()[0] == 1
    assert stand_ins.alive() == []


def test_a_part_that_crashes_at_its_start_ends_the_others(stand_ins: StandIns) -> None:
    """The error has what the part said."""
    stand_ins.let("otelcol-contrib", "crash")
    status, _, errors = stand_ins.up()
    assert status == 1
    assert errors == "Error: collector ended with status 1:\notelcol-contrib has no wish to run\n"
    assert stand_ins.alive() == []


@pytest.mark.slow
def test_a_part_that_crashes_later_is_told_and_down_ends_the_others(stand_ins: StandIns) -> None:
    """Nothing is started beside the others."""
    assert stand_ins.up()[0] == 0
    os.kill(stand_ins.pid("prometheus"), signal.SIGKILL)
    until(lambda: "prometheus" not in stand_ins.alive())
    assert f"prometheus: ended by itself; see {stand_ins.work}/prometheus.log\n" in stand_ins.run("status")[1]
    status, _, errors = stand_ins.up()
    assert status == 1
    assert "prometheus ended by itself, and jaeger, alertmanager, collector still runs. First run: " in errors
    assert stand_ins.run("down") == (0, "ended: collector, alertmanager, jaeger\n", "")
    assert stand_ins.alive() == []


@pytest.mark.slow
def test_a_stack_that_is_dead_as_a_whole_is_started_anew(stand_ins: StandIns) -> None:
    """As after a restart of the machine."""
    assert stand_ins.up()[0] == 0
    for name in PARTS:
        os.kill(stand_ins.pid(name), signal.SIGKILL)
    until(lambda: not stand_ins.alive())
    assert stand_ins.run("down") == (0, "nothing is up\n", "")
    assert stand_ins.up()[0] == 0
    assert sorted(stand_ins.alive()) == sorted(PARTS)


def test_down_ends_a_build_of_an_up_that_was_killed(stand_ins: StandIns) -> None:
    """A build goes on for minutes: it is a part like the others, with the compilers that it has started."""
    (stand_ins.bin / "jaeger").unlink()
    stand_ins.install("go")
    stand_ins.let("go", "hang")
    with stand_ins.starting("up", "--free-ports", "--no-story") as starting:
        stand_ins.pid("go")
        starting.end(signal.SIGKILL)
    assert stand_ins.alive() == ["go"]
    assert stand_ins.run("down") == (0, "ended: build\n", "")
    until(lambda: not stand_ins.alive())


def test_ports_that_are_in_use_are_named(stand_ins: StandIns) -> None:
    """With the way out, and nothing is started."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 13133))
            taken.listen()
        except OSError:
            pass  # taken by another program, which serves as well
        status, _, errors = stand_ins.run("up", "--no-story")
    assert status == 1
    assert "13133 (collector_health)" in errors
    assert errors.endswith("End what uses them, or add --free-ports\n")
    assert stand_ins.alive() == []


def test_up_runs_the_rules_of_a_bundle(stand_ins: StandIns, tmp_path: Path) -> None:
    """Thresholds of one's own are tried before they are rolled out."""
    write_bundle(tmp_path / "mine")
    assert stand_ins.run("up", "--free-ports", "--no-story", "--bundle", str(tmp_path / "mine"))[0] == 0
    config = (stand_ins.work / "prometheus.yaml").read_text()
    assert f"- {tmp_path}/mine/dashboards/alerts/rules.yaml\n" in config


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the generator of the bundle needs Python 3.11")
def test_a_bundle_for_native_histograms_is_not_given_to_a_prometheus_2(stand_ins: StandIns, tmp_path: Path) -> None:
    """It would end with a word of its config that it does not know. Nothing is left running."""
    pytest.importorskip("grafana_foundation_sdk")
    write_bundle(tmp_path / "mine", histograms="native")
    status, _, errors = stand_ins.run("up", "--free-ports", "--no-story", "--bundle", str(tmp_path / "mine"))
    assert status == 1
    assert errors == (
        f"Error: {tmp_path}/mine is for native histograms, and {stand_ins.bin}/prometheus is a Prometheus 2. Put a "
        "Prometheus 3 first on the PATH, or write the bundle with --histograms classic\n"
    )
    assert stand_ins.alive() == []


def test_a_directory_without_a_bundle_is_refused(stand_ins: StandIns) -> None:
    """The error says how to write one."""
    status, _, errors = stand_ins.run("up", "--free-ports", "--bundle", str(stand_ins.bin))
    assert status == 2
    assert f"{stand_ins.bin} is not a bundle. Write one: anthropic-otel bundle {stand_ins.bin}" in errors


@pytest.mark.slow
def test_a_damaged_record_stops_down_and_is_named(stand_ins: StandIns) -> None:
    """Rather than to leave a process behind without a word."""
    assert stand_ins.up()[0] == 0
    (record,) = stand_ins.work.glob("run/part-*-jaeger.json")
    text = record.read_text()
    record.write_text("{")
    status, _, errors = stand_ins.run("down")
    assert (status, errors.count("\n")) == (1, 1)
    assert str(record) in errors
    record.write_text(text)


def test_panels_of_a_stack_that_is_not_up_are_refused(stand_ins: StandIns) -> None:
    """The error says how to start it."""
    status, _, errors = stand_ins.run("panels")
    assert status == 1
    assert errors.startswith("Error: nothing is up. Start it: ")
