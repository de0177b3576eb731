"""The outbox on SQLite, in a file as in life; ``tests/real/test_channels.py`` asks the same of PostgreSQL."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from alerts.channel import Outcome, Sent
from alerts.store.tables import metadata
from app.database import open_engine
from tests.alerts import outbox_checks as checks
from tests.alerts.town import emptied, fresh_engine

SHARED = fresh_engine()


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_the_outbox_keeps_its_promises(check: Callable[[Engine], None], tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'outbox.db'}", durable=False)
    metadata.create_all(engine)
    check(engine)
    engine.dispose()


@given(
    outcomes=st.lists(
        st.tuples(st.sampled_from([None, *Sent]), st.integers(0, 700_000), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_whatever_happens_a_notice_is_in_one_known_state_and_never_forgotten(
    outcomes: list[tuple[Sent | None, int, bool]],
) -> None:
    """Workers succeed, fail, die (None) in any order: what was not delivered is waiting, leased, unknown or failed."""
    engine, now, delivered = emptied(SHARED), checks.NOW, 0
    checks.put(engine, checks.item("a"))
    for sent, pause, removes in outcomes:
        now += pause
        checks.expire(engine, now, *(["webhook"] if removes else []))
        for taken in checks.lease(engine, now=now):
            if sent is not None:
                state = checks.settle(engine, taken, Outcome(sent), now=now, removes=removes)
                assert state is not None
                delivered += sent is Sent.DELIVERED
    state = checks.state_of(engine, "a").state
    assert delivered <= 1
    assert (state == "sent") == (delivered == 1)
    assert state in {"sent", "waiting", "leased", "unknown", "failed"}
