"""Courses of real trouble, and who hears what of it when."""

from pathlib import Path

import pytest

from pantau import cityfolder
from tests.scenario.timeline import BACK, GONE, Line, Told, every, play

CALM = every(10, "00:00", "00:30", "awan-1", 20)


def to(*roles: str, at: str, what: str, severity: int) -> list[Told]:
    return [(at, role, what, severity) for role in roles]


EVERYBODY_IN_AWAN = ("disaster_agency", "duty_officer", "head_of_awan", "mayor", "public")


def test_a_jump_over_all_limits_is_told_to_operators_at_once_and_to_everybody_when_it_stands() -> None:
    """Singapore, 5 June 2011: Stamford Canal rose over every limit between two readings, and people heard too late."""
    course = [*CALM, ("00:40", "awan-1", 230), ("00:50", "awan-1", 240)]
    told = play(course, "01:00").told
    assert told == sorted(
        to("duty_officer", at="00:40", what="raised", severity=3)
        + to(*EVERYBODY_IN_AWAN, at="00:50", what="confirmed", severity=3)
    )


def test_a_typing_error_is_told_to_operators_only_and_withdrawn() -> None:
    course = [*CALM, ("00:40", "awan-1", 201), *every(10, "00:50", "01:20", "awan-1", 21)]
    assert play(course, "01:30").told == sorted(
        to("duty_officer", at="00:40", what="raised", severity=2)
        + to("duty_officer", at="00:50", what="withdrawn", severity=0)
    )


def test_a_jump_without_a_next_reading_is_told_to_the_operators_again() -> None:
    course = [*CALM, ("00:40", "awan-1", 170)]
    assert play(course, "01:05", causes=["level"]).told == sorted(
        to("duty_officer", at="00:40", what="raised", severity=2)
        + to("duty_officer", at="00:55", what="unconfirmed", severity=2)
    )


def rising(*values: float) -> list[Line]:
    return [
        (f"{(30 + 10 * n) // 60:02}:{(30 + 10 * n) % 60:02}", "awan-1", value)
        for n, value in enumerate(values, 1)
    ]


def test_a_flood_is_told_step_by_step_up_and_down_to_whom_it_concerns() -> None:
    course = [*CALM, *rising(60, 95, 105, 135, 165, 150, 140, 130, 90, 80, 70)]
    end = play(course, "02:40")
    assert [entry for entry in end.happened if entry[1] == "awan-1"] == [
        ("01:00", "awan-1", "raised", 1), ("01:20", "awan-1", "raised", 2), ("01:40", "awan-1", "lowered", 1),
        ("02:10", "awan-1", "closed", 0),
    ]  # fmt: skip
    first = ("disaster_agency", "duty_officer", "public")
    assert end.told == sorted(
        to(*first, at="01:00", what="raised", severity=1)
        + to(*first, "head_of_awan", at="01:20", what="raised", severity=2)
        + to(*first, "head_of_awan", at="01:40", what="lowered", severity=1)
        + to(*first, "head_of_awan", at="02:10", what="closed", severity=0)
    )


def test_a_level_that_flaps_at_its_edge_is_raised_once() -> None:
    """Manggarai, January 2014: 960, 940, 950 at a limit of 950."""
    jakarta = cityfolder.load(Path(__file__).parents[2] / "cities" / "jakarta")
    manggarai = jakarta.stations["122"]
    levels = [860, 890, 920, 940, 960, 940, 950, 940, 950, 946, 949, 945, 950]
    course = [(f"{n // 6:02}:{n % 6}0", manggarai.id, float(level)) for n, level in enumerate(levels)]
    end = play(course, "02:10", city=jakarta)
    assert [(what, severity) for _, _, what, severity in end.happened] == [
        ("raised", 2),
        ("confirmed", 2),
        ("raised", 3),
    ]


def test_a_gap_breaks_the_hold_so_that_one_low_value_on_either_side_is_no_all_clear() -> None:
    course = [
        *CALM,
        *rising(60, 95, 105, 90),
        ("02:30", "awan-1", 90),
        ("02:35", "awan-1", 90),
        ("02:40", "awan-1", 90),
    ]
    end = play(course, "02:50", causes=["level"])
    assert [entry[::2] for entry in end.happened] == [("01:00", "raised"), ("02:40", "closed")]


# --- silence --------------------------------------------------------------------------------------------------------


def test_a_silent_sensor_is_told_to_operators_after_three_cadences_and_ends_when_it_is_heard() -> None:
    course = [*every(10, "00:00", "01:00", "awan-1", 20), ("02:00", "awan-1", 21), ("02:10", "awan-1", 21)]
    assert play(course, "02:20").told == sorted(
        to("duty_officer", at="01:30", what="raised", severity=1)
        + to("duty_officer", at="02:00", what="closed", severity=0)
    )


def test_a_sensor_that_never_reported_is_no_alert() -> None:
    assert play([], "12:00").happened == []


def test_after_a_start_nothing_is_held_against_a_sensor_before_the_grace_is_over() -> None:
    """A service that starts at 03:00 has heard nobody for three hours, and that is its own fault."""
    course = [*every(10, "00:00", "00:50", "awan-1", 20), ("00:55", GONE, 0), ("03:00", BACK, 0)]
    back_in_time = [*course, ("03:10", "awan-1", 21)]
    assert play(back_in_time, "03:39").happened == []
    assert play(course, "03:19").happened == []
    assert play(course, "04:00").told == to("duty_officer", at="03:20", what="raised", severity=1)


def test_while_the_broker_is_away_nobody_is_called_silent() -> None:
    course = [*every(10, "00:00", "00:30", "awan-1", 20), ("00:31", GONE, 0)]
    assert play(course, "12:00").happened == []


# --- late -----------------------------------------------------------------------------------------------------------


def late(values: list[float], last: float) -> tuple[list[Line], dict[int, str]]:
    """Readings from 01:00 on that a device kept and sends together at 05:00, and a fresh one at 05:00 and 05:10."""
    kept = [(f"{n // 6 + 1:02}:{n % 6}0", "awan-1", value) for n, value in enumerate(values)]
    fresh = [
        ("05:00", "awan-1", last),
        ("05:10", "awan-1", last),
        ("05:20", "awan-1", last),
        ("05:30", "awan-1", last),
    ]
    return [*CALM, *kept, *fresh], {len(CALM) + n: "04:59" for n in range(len(kept))}


def test_a_flood_that_passed_while_the_device_was_cut_off_is_on_the_timeline_and_told_to_nobody() -> None:
    course, sent = late([60, 95, 120, 150, 120, 90, 60, 40, 20], 20)
    end = play(course, "05:40", sent=sent, causes=["level"])
    assert end.told == []
    assert [what for _, _, what, _ in end.happened] == ["raised", "closed"]


@pytest.mark.parametrize("crest", [150, 500])
def test_a_late_crest_that_the_fresh_readings_do_not_confirm_is_told_to_nobody(crest: float) -> None:
    course, sent = late([60, 95, 120, crest], 20)
    end = play(course, "05:40", sent=sent, causes=["level"])
    assert end.told == []
    assert end.happened[-1][2] in {"closed", "withdrawn"}


def test_a_late_condition_that_still_holds_is_told_with_the_fresh_reading() -> None:
    course, sent = late([60, 95, 120, 130], 131)
    told = play(course, "05:40", sent=sent, causes=["level"]).told
    assert told == sorted(
        to("disaster_agency", "duty_officer", "public", at="05:00", what="retold", severity=1)
    )


def test_a_crowd_is_told_to_those_who_guide_it() -> None:
    course = [*every(1, "00:00", "00:05", "square", 9000), *every(1, "00:06", "00:12", "square", 16500)]
    told = play(course, "00:15", causes=["level"]).told
    assert {(role, severity) for _, role, _, severity in told} == {
        ("crowd_control", 2), ("duty_officer", 2), ("public", 2),
    }  # fmt: skip
    assert min(told)[0] == "00:06"
