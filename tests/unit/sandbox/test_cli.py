"""The command line: every switch, one line when it listens, a clean end."""

from __future__ import annotations

import dataclasses
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from airflow_provider_siliconflow.sandbox import cli
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
RUN = [sys.executable, "-m", "airflow_provider_siliconflow.sandbox"]


def test_every_setting_is_a_switch_with_a_line_of_help() -> None:
    text = cli.parser().format_help()
    for switch in dataclasses.fields(Settings):
        if switch.name != "faults":
            assert f"--{switch.name.replace('_', '-')}" in text
    chosen = vars(cli.parser().parse_args([]))
    assert Settings(**{name: chosen[name] for name in chosen if name not in ("host", "port", "faults")}) == Settings()


def test_switches_reach_the_settings() -> None:
    plain = ["--speed=20", "--tiny", "--no-ranges", "--url-style=oss", "--models=a, b"]
    faults = ["--fault=route=submit,kind=busy", "--fault=route=status,kind=reset,chance=0.5"]
    chosen = cli.parser().parse_args([*plain, *faults])
    assert (chosen.speed, chosen.tiny, chosen.ranges, chosen.url_style) == (20.0, True, False, "oss")
    assert chosen.models == ("a", "b")
    assert chosen.faults == [Fault("submit", "busy"), Fault("status", "reset", chance=0.5)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_ends_cleanly(number: signal.Signals) -> None:
    with subprocess.Popen(
        [*RUN, "--port", "0", "--tiny", "--fault", "route=models,kind=slow,seconds=60"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert Settings.key in line
            base_url = line.split()[2]
            assert base_url.startswith("http://127.0.0.1:")
            headers = {"Authorization": f"Bearer {Settings.key}"}
            with pytest.raises(requests.ReadTimeout):
                requests.get(f"{base_url}/models", headers=headers, timeout=0.2)
            assert requests.get(f"{base_url}/models", headers=headers, timeout=30).status_code == 200
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("wrong", [["--fault", "route=x,kind=y"], ["--url-style", "azure"], ["--slots", "many"]])
def test_a_wrong_switch_is_explained(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(wrong)
    assert wrong[0] in capsys.readouterr().err


def test_settings_that_make_no_sense_end_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--speed", "0"]) == 1
    assert capsys.readouterr().err == "siliconflow-sandbox: speed must be positive\n"


def test_a_missing_library_is_said_at_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert cli.main(["--port", "0"]) == 1
    assert "pip install" in capsys.readouterr().err


def test_the_module_runs_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["sandbox", "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("airflow_provider_siliconflow.sandbox", run_name="__main__")


def test_it_loads_neither_airflow_nor_what_renders_before_the_first_clip() -> None:
    code = "import sys, airflow_provider_siliconflow.sandbox.cli; print({'airflow', 'av', 'PIL'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_a_port_that_is_taken_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert cli.main(["--port", str(taken.getsockname()[1])]) == 1
    assert "address already in use" in capsys.readouterr().err
