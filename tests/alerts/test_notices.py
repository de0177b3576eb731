"""From changes to outbox rows, and the public's retained alerts."""

import json
from collections.abc import Mapping, Sequence

import msgspec
from hypothesis import given
from sqlalchemy import Engine

from alerts.channel import Notice
from alerts.news import OPERATORS, Change
from alerts.notices import notice_id, notices
from alerts.publish import public_alerts
from alerts.store.alerts import newest_pos
from alerts.store.outbox import Item
from pantau.city import Recipient
from pantau.record import LatestRecord
from tests.alerts.test_route import AUDIENCE, STEPS, live
from tests.alerts.town import NIGHT, TOWN, WARNED, Life, key_of, newest


def notice_of(item: Item) -> Notice:
    return msgspec.json.decode(item.body, type=Notice)


def made(
    changes: Sequence[Change], latest: Mapping[str, LatestRecord] | None = None, *, exercise: bool = False
) -> list[Item]:
    return notices(changes, TOWN, latest or {}, exercise=exercise, now=NIGHT)


def test_a_raise_makes_one_row_for_each_role_and_channel(engine: Engine) -> None:
    life = Life(engine)
    life.says(2, value=160.0)
    items = made(life.changes, latest={"hulu": newest("hulu", 160.0, life.at, rate=50.0)})
    assert [(item.role, item.channel) for item in items] == [
        ("operator", "webhook"), ("operator", "mqtt"), ("posko", "webhook"), ("sekda", "apprise"),
        ("camat_hulu", "apprise"), ("lurah_l", "apprise"), ("public", "mqtt"),
    ]  # fmt: skip
    assert {(item.alert, item.n, item.severity, item.made_at, item.due_at) for item in items} == {
        (life.changes[0].transition.alert, 1, 2, NIGHT, 0)
    }
    notice = notice_of(items[0])
    assert notice.id == items[0].id
    assert notice.alert["severity"] == 2
    assert notice.alert["siaga"] == 2
    assert notice.topic == "flood/hulu"
    assert "naik 50 cm per jam" in notice.text
    assert notice_of(items[-1]).language == "en"


def test_the_same_changes_make_the_same_rows() -> None:
    changes = live([(0, 2), (2, 0), (0, 0)])
    assert made(changes) == made(changes)


@given(steps=STEPS)
def test_no_two_notices_share_an_id_and_nobody_but_operators_sees_what_is_pending(
    steps: list[object],
) -> None:
    items = made(live(steps))
    assert len({item.id for item in items}) == len(items)
    for item in items:
        notice = notice_of(item)
        assert item.id == notice_id(item.alert, item.n, item.role, item.channel, notice.language)
        if AUDIENCE[item.role] != OPERATORS:
            assert notice.alert["confirmed"] is True


def test_a_role_listed_twice_is_told_once(engine: Engine) -> None:
    role = Recipient(role="x", audience="command", channels=("webhook",))
    city = msgspec.structs.replace(TOWN, recipients=(role, msgspec.structs.replace(role, min_severity=2)))
    life = Life(engine)
    life.says(3)
    assert len(notices(life.changes, city, {}, exercise=False, now=NIGHT)) == 1


def test_the_public_is_not_told_the_value_of_a_pending_jump(engine: Engine) -> None:
    """The reading that confirms Siaga 2 is itself a jump towards Siaga 1: one transition of two parts."""
    life = Life(engine)
    life.says(0, 2, value=160.0)
    both = life.says(2, 3, value=777.0)
    confirmed = [change for change in both if change.transition.what == "confirmed"]
    for item in made(both):
        if item.role == "public":
            notice = notice_of(item)
            assert notice.alert["severity"] == 2
            assert item.n == confirmed[0].transition.n


def test_a_correction_to_nothing_with_a_jump_still_pending_is_told_as_normal(engine: Engine) -> None:
    life = Life(engine)
    life.says(2)
    life.says(2, 3)
    life.changes.clear()
    life.says(0, 3, wrong=True, by="Sari", value=160.0)
    public = [notice_of(item) for item in made(life.changes) if item.role == "public"]
    assert [(notice.alert["severity"], notice.alert["confirmed"]) for notice in public] == [(0, True)]
    assert public[0].alert["value"] is None


def test_an_exercise_marks_every_row(engine: Engine) -> None:
    life = Life(engine)
    life.says(2)
    for item in made(life.changes, exercise=True):
        notice = notice_of(item)
        assert notice.exercise
        assert notice.alert["exercise"] is True
        assert "LATIHAN" in notice.title
        assert "EXERCISE" in notice.title


def published(engine: Engine, since: int = 0, *, exercise: bool = False) -> dict[str, dict[str, object]]:
    with engine.connect() as conn:
        messages = public_alerts(conn, TOWN, since, exercise=exercise)
    return {topic: json.loads(payload) for topic, payload in messages}


def test_each_warned_area_has_a_retained_alert_of_its_own(engine: Engine) -> None:
    life = Life(engine)
    life.says(2)
    topics = published(engine)
    assert set(topics) == {f"pantau/v1/contoh/public/alert/flood/{code}" for code in WARNED}
    assert {alert["id"] for alert in topics.values()} == {life.changes[0].record.id}


def test_the_worst_alert_of_an_area_is_shown_until_it_ends(engine: Engine) -> None:
    mild, bad = Life(engine, key_of("tengah")), Life(engine)
    topic = f"pantau/v1/contoh/public/alert/flood/{WARNED[-1]}"
    mild.says(1)
    bad.says(3)
    assert published(engine)[topic]["severity"] == 3
    bad.says(0)
    assert published(engine)[topic]["id"] == mild.changes[0].record.id
    mild.says(0)
    normal = published(engine)[topic]
    assert (normal["state"], normal["severity"], normal["area"]) == ("normal", 0, WARNED[-1])


def test_a_pending_jump_is_not_published(engine: Engine) -> None:
    life = Life(engine)
    life.says(0, 3)
    assert published(engine) == {}
    life.says(1, 3)
    assert {alert["severity"] for alert in published(engine).values()} == {1}


def test_only_what_changed_is_published_again(engine: Engine) -> None:
    first, second = Life(engine), Life(engine, key_of("laut"))
    first.says(2)
    with engine.connect() as conn:
        pos = newest_pos(conn)
    second.pos = pos
    second.says(1)
    assert set(published(engine, pos)) == {"pantau/v1/contoh/public/alert/tidal/99.01.01.1001"}
    assert published(engine, pos + 1) == {}


def test_our_own_trouble_is_not_published(engine: Engine) -> None:
    Life(engine, key_of("hilir", "main", "data")).says(1)
    assert published(engine) == {}


def test_an_exercise_is_published_as_one(engine: Engine) -> None:
    life = Life(engine)
    life.says(2)
    assert {alert["exercise"] for alert in published(engine, exercise=True).values()} == {True}
    life.says(0)
    assert {alert["exercise"] for alert in published(engine, exercise=True).values()} == {True}
