"""What the outbox promises on every database: called with an empty one by the tests of SQLite and of PostgreSQL."""

import threading
from collections import Counter
from collections.abc import Callable

from sqlalchemy import Engine

from alerts.channel import Outcome, Sent
from alerts.store import outbox
from alerts.store.outbox import Item

NOW = 1_700_000_000_000
LEASE = 60_000
OK, AGAIN, UNSURE = Outcome(Sent.DELIVERED), Outcome(Sent.RETRY, "away"), Outcome(Sent.UNKNOWN, "time-out")


def item(id: str, *, n: int = 1, contact: int | None = 1, severity: int = 1, channel: str = "webhook",
         alert: str | None = None, role: str = "posko") -> Item:  # fmt: skip
    return Item(id=id, alert=alert or f"alert-{id}", n=n, role=role, channel=channel, severity=severity, body="{}",
                made_at=NOW - 1000 + n, contact=contact)  # fmt: skip


def put(engine: Engine, *items: Item) -> int:
    with engine.begin() as conn:
        return outbox.put(conn, items)


def lease(engine: Engine, worker: str = "w", now: int = NOW, limit: int = 10) -> list[Item]:
    with engine.begin() as conn:
        return [
            one
            for channel in ("apprise", "webhook")
            for one in outbox.lease(conn, worker, now, limit, LEASE, channel)
        ]


def settle(engine: Engine, given: Item, outcome: Outcome, worker: str = "w", now: int = NOW, *,
           removes: bool = True) -> str | None:  # fmt: skip
    with engine.begin() as conn:
        [state] = outbox.settle(conn, worker, [outbox.Settled(given, outcome, now, 5, removes)])
        return state


def expire(engine: Engine, now: int, *removing: str) -> int:
    with engine.begin() as conn:
        return sum(outbox.expire(conn, now, removing, channel) for channel in ("apprise", "webhook"))


def state_of(engine: Engine, id: str) -> Item:
    with engine.connect() as conn:
        rows = conn.exec_driver_sql(f"SELECT * FROM outbox WHERE id = '{id}'").mappings().all()
    return Item(**rows[0])


def check_the_same_notice_is_kept_once(engine: Engine) -> None:
    assert put(engine, item("a"), item("b")) == 2
    first = lease(engine)
    settle(engine, first[0], OK)
    assert put(engine, item("a"), item("c")) == 1
    assert state_of(engine, first[0].id).state == "sent"


def check_a_big_batch_fits(engine: Engine) -> None:
    assert put(engine, *(item(f"n{number}") for number in range(1200))) == 1200


def check_the_worst_go_first_then_the_oldest(engine: Engine) -> None:
    put(engine, item("late", n=9), item("calm"), item("bad", severity=3), item("worse", severity=3, n=5))
    assert [each.id for each in lease(engine, limit=3)] == ["bad", "worse", "calm"]


def check_a_lease_is_exclusive_until_it_ends(engine: Engine) -> None:
    put(engine, item("a"))
    assert lease(engine, "one")[0].attempts == 1
    assert lease(engine, "two") == []
    assert lease(engine, "two", now=NOW + LEASE - 1) == []


def check_a_sent_notice_is_done(engine: Engine) -> None:
    put(engine, item("a"))
    assert settle(engine, lease(engine)[0], OK) == "sent"
    done = state_of(engine, "a")
    assert (done.sent_at, done.lease, done.error) == (5, None, None)
    assert lease(engine, now=NOW + 10**9) == []


def check_a_failure_waits_and_tries_again(engine: Engine) -> None:
    put(engine, item("a"))
    assert settle(engine, lease(engine)[0], AGAIN) == "waiting"
    assert lease(engine, now=NOW + 3_000) == []
    assert lease(engine, now=NOW + 7_000)[0].attempts == 2
    assert state_of(engine, "a").error == "away"


def check_news_never_overtakes(engine: Engine) -> None:
    """The raise could not be delivered; the all-clear for the same person comes after it, others do not wait."""
    put(engine, item("raise", alert="x", contact=7))
    settle(engine, lease(engine)[0], AGAIN)
    put(engine, item("clear", alert="x", n=2, contact=7), item("other", alert="x", n=2, contact=8))
    # News is a reason to try again at once, and in order.
    assert {each.id for each in lease(engine)} == {"raise", "other"}
    assert lease(engine) == []
    settle(engine, state_of(engine, "raise"), OK)
    assert [each.id for each in lease(engine)] == ["clear"]


def check_a_notice_without_contact_is_not_leased(engine: Engine) -> None:
    put(engine, item("a", contact=None))
    assert lease(engine) == []
    with engine.begin() as conn:
        found = outbox.unaddressed(conn, "webhook")
        outbox.assign(conn, [(found[0], [3, 4, 5])])
    assert {(each.id, each.contact) for each in lease(engine)} == {("a", 3), ("a-4", 4), ("a-5", 5)}


def check_a_dead_workers_notice_is_unknown(engine: Engine) -> None:
    """Killed after handing over: sent again only where repetitions are removed, or at the highest severity."""
    put(engine, item("web"), item("sms", channel="apprise"), item("siren", channel="apprise", severity=3))
    assert len(lease(engine, "dead")) == 3
    assert expire(engine, NOW + LEASE, "webhook") == 0
    assert expire(engine, NOW + LEASE + 1, "webhook") == 3
    states = {name: state_of(engine, name).state for name in ("web", "sms", "siren")}
    assert states == {"web": "waiting", "sms": "unknown", "siren": "waiting"}
    assert {each.id for each in lease(engine, "alive", now=NOW + LEASE + 10_000)} == {"web", "siren"}
    with engine.connect() as conn:
        assert [each.id for each in outbox.undelivered(conn)] == ["sms"]


def check_a_worker_that_comes_back_too_late_changes_nothing(engine: Engine) -> None:
    put(engine, item("a"))
    slow = lease(engine, "slow")[0]
    expire(engine, NOW + LEASE + 1, "webhook")
    other = lease(engine, "other", now=NOW + 2 * LEASE)[0]
    assert settle(engine, slow, OK, "slow") is None
    assert state_of(engine, "a").lease == "other"
    assert settle(engine, other, OK, "other") == "sent"


def check_what_was_not_handed_over_is_given_back_unharmed(engine: Engine) -> None:
    put(engine, item("a"))
    taken = lease(engine)[0]
    with engine.begin() as conn:
        outbox.give_back(conn, taken, "w")
    assert lease(engine)[0].attempts == 1


def check_counts_tell_what_is_not_settled(engine: Engine) -> None:
    put(engine, item("a", n=5), item("b", n=2), item("c", n=9, channel="pigeon"))
    settle(engine, lease(engine, limit=1)[0], OK)
    with engine.connect() as conn:
        assert outbox.waiting(conn) == 2
        assert outbox.oldest(conn) in {NOW - 991, NOW - 995}
        assert outbox.is_due(conn, "webhook", NOW)
        assert not outbox.is_due(conn, "mqtt", NOW)
        assert [each.id for each in outbox.of_other_channels(conn, ["webhook"])] == ["c"]


def check_two_workers_never_get_the_same_notice(engine: Engine) -> None:
    """Many threads lease at once; every notice is got exactly once, and one alert's in order."""
    put(engine, *(item(f"n{number:03}", alert=f"x{number % 40}", n=number) for number in range(200)))
    got: list[tuple[str, str, int]] = []
    lock = threading.Lock()

    def work(name: str) -> None:
        empty = 0
        while empty < 20:
            taken = lease(engine, name, limit=3)
            empty = 0 if taken else empty + 1
            with lock:
                got.extend((each.id, each.alert, each.n) for each in taken)
            for each in taken:
                assert settle(engine, each, OK, name) == "sent"

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(Counter(each[0] for each in got).values()) == 1
    assert len(got) == 200
    for alert in {alert for _, alert, _ in got}:
        order = [n for _, other, n in got if other == alert]
        assert order == sorted(order)


CHECKS: list[Callable[[Engine], None]] = [
    check for name, check in sorted(globals().items()) if name.startswith("check_")
]
