"""What becomes of a notice after an attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.channel import Outcome, Sent
from alerts.retry import MAX_ATTEMPTS, backoff_ms, fate_after

NOW = 1_700_000_000_000
IDS = st.text("0123456789abcdef", min_size=1, max_size=32)


@given(id=IDS, attempts=st.integers(1, 10_000))
def test_the_pause_grows_from_5_seconds_to_10_minutes_and_is_always_the_same(id: str, attempts: int) -> None:
    pause = backoff_ms(id, attempts)
    plain = min(5_000 * 2 ** min(attempts - 1, 7), 600_000)
    assert 0.8 * plain <= pause <= 1.2 * plain
    assert pause == backoff_ms(id, attempts)


def test_a_channel_is_given_about_a_day() -> None:
    hours = sum(backoff_ms("a1", attempt) for attempt in range(1, MAX_ATTEMPTS)) / 3_600_000
    assert 20 < hours < 28


@given(
    id=IDS,
    attempts=st.integers(1, 200),
    severity=st.integers(0, 3),
    removes=st.booleans(),
    wish=st.floats(0, 1e9),
)
def test_every_outcome_leads_to_one_of_the_four_states(
    id: str, attempts: int, severity: int, removes: bool, wish: float
) -> None:
    for sent in Sent:
        fate = fate_after(id, attempts, severity, Outcome(sent, "x", wish), NOW, removes_duplicates=removes)
        assert fate.state in {"sent", "waiting", "unknown", "failed"}
        assert (fate.state == "waiting") == (fate.due_at > NOW)
        assert (fate.state == "sent") == (fate.error is None)
        if attempts >= MAX_ATTEMPTS:
            assert fate.state != "waiting"


@pytest.mark.parametrize(
    ("sent", "severity", "removes", "attempts", "state"),
    [
        (Sent.DELIVERED, 1, False, 1, "sent"),
        (Sent.NEVER, 3, True, 1, "failed"),
        (Sent.RETRY, 1, False, 1, "waiting"),
        (Sent.RETRY, 1, True, MAX_ATTEMPTS, "failed"),
        (Sent.UNKNOWN, 1, True, 1, "waiting"),
        (Sent.UNKNOWN, 2, False, 1, "unknown"),
        (Sent.UNKNOWN, 3, False, 1, "waiting"),
        (Sent.UNKNOWN, 3, False, 4, "unknown"),
        (Sent.UNKNOWN, 3, True, MAX_ATTEMPTS, "failed"),
    ],
)
def test_what_may_have_arrived_is_repeated_only_where_that_does_no_harm_or_silence_more(
    sent: Sent, severity: int, removes: bool, attempts: int, state: str
) -> None:
    assert fate_after("a1", attempts, severity, Outcome(sent), NOW, removes_duplicates=removes).state == state


@pytest.mark.parametrize(
    ("wish", "pause"), [(120.0, 120_000), (0.5, 5_000), (86_400.0, 3_600_000), (None, 5_000)]
)
def test_a_receivers_wish_is_honoured_up_to_an_hour(wish: float | None, pause: int) -> None:
    fate = fate_after("a1", 1, 1, Outcome(Sent.RETRY, "", wish), NOW, removes_duplicates=True)
    assert pause * 0.8 <= fate.due_at - NOW <= pause * 1.2
