"""``pantau replay`` and ``pantau simulate`` without a broker; tests/real/test_replay.py has them with one."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from app.clock import RealClock, ScaledClock
from app.commands import replay, simulate
from app.playback import pace_of
from app.settings import Settings
from pantau.errors import ConfigError, PantauError, Unavailable

START = 1_767_322_800_000
# A port on which nobody listens: what gets as far as the broker is told so.
NOBODY = "mqtt://127.0.0.1:9"


def invoke(folder: Path, *arguments: str, **more: str) -> Result:
    cli = typer.Typer()
    replay.register(cli)
    simulate.register(cli)
    env = {"PANTAU_CITY": str(folder), "PANTAU_MQTT_URL": NOBODY, "PANTAU_CLOCK": "", **more}
    return CliRunner().invoke(cli, list(arguments), env=env)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("replay", "2014-01-29", "--as-if-now", "--speed", "10"), "same PANTAU_CLOCK"),
        (("replay", "nothing.csv"), "no such file"),
        (("replay", "1999"), "is none of"),
        (("replay", "2015-02-09"), "Sunter Selatan"),
        (("replay", "2014-01-29", "--speed", "0"), "above 0"),
        (("replay", "2014-01-29", "--faults", "melt"), "there is no fault"),
        (("simulate", "storm"), "there are crowd"),
        (("simulate", "quiet", "--speed", "5"), "same PANTAU_CLOCK"),
        (("simulate", "quiet", "--start", "today"), "--start"),
        (("simulate", "quiet", "--devices", "5"), "--devices"),
        (("simulate", "--devices", "5", "--rate", "0"), "above 0"),
    ],
)
def test_a_wrong_command_is_a_configuration_error(
    jakarta_folder: Path, arguments: tuple[str, ...], told: str
) -> None:
    result = invoke(jakarta_folder, *arguments)
    assert isinstance(result.exception, ConfigError)
    assert told in str(result.exception)


def test_a_fleet_without_a_broker_is_told(jakarta_folder: Path) -> None:
    result = invoke(jakarta_folder, "simulate", "--devices", "5")
    assert isinstance(result.exception, Unavailable)


def test_a_speed_that_contradicts_the_shared_clock_is_refused(jakarta_folder: Path) -> None:
    clock = "2014-01-29T22:00:00+07:00,1500"
    result = invoke(jakarta_folder, "replay", "2014-01-29", "--speed", "2", PANTAU_CLOCK=clock)
    assert isinstance(result.exception, PantauError)
    assert "PANTAU_CLOCK already says 1500" in str(result.exception)


def test_printed_words_can_be_compared_without_sending(jakarta_folder: Path) -> None:
    result = invoke(jakarta_folder, "replay", "2014-01-29", "--compare", "--json")
    assert result.exit_code == 0, result.output
    summary, *differing = [json.loads(line) for line in result.stdout.splitlines()]
    assert summary["printed_siaga"] == {"agree": 48, "disagree": 1, "on_limit": 1}
    assert [(line["value"], line["printed_siaga"], line["siaga"]) for line in differing] == [(150, 3, 2)]


def test_without_a_scenario_they_are_listed(jakarta_folder: Path) -> None:
    result = invoke(jakarta_folder, "simulate")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["crowd", "flood_wave", "quiet"]


def settings(simulated: tuple[int, float, int | None] | None = None) -> Settings:
    return Settings(
        city=Path(), mqtt_url=NOBODY, database_url="sqlite:///", influx=None, http=("", 0), data=Path(),
        simulated=simulated,
    )  # fmt: skip


def test_on_real_time_the_recordings_own_times_run_at_the_speed_asked_for() -> None:
    clock, shift = pace_of(settings(), START, speed=60.0, as_if_now=False)
    assert isinstance(clock, ScaledClock)
    assert (clock.start_ms, clock.speed, shift) == (START, 60.0, 0)


def test_as_if_now_shifts_to_the_clock_of_the_service() -> None:
    clock, shift = pace_of(settings(), START, speed=None, as_if_now=True)
    assert isinstance(clock, RealClock)
    assert abs(START + shift - clock.now()) < 2_000
    clock, shift = pace_of(settings((START * 2, 1000.0, None)), START, speed=None, as_if_now=True)
    assert abs(START + shift - clock.now()) < 2_000_000


def test_the_shared_clock_decides_when_there_is_one() -> None:
    clock, shift = pace_of(settings((START, 1500.0, 5)), START + 1, speed=1500.0, as_if_now=False)
    assert isinstance(clock, ScaledClock)
    assert (clock.start_ms, clock.speed, clock.anchor_ms, shift) == (START, 1500.0, 5, 0)
