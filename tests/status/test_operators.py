"""What operators post, and how it is answered."""

from typing import Any

import pytest

from status.board import Answer
from tests.status.conftest import Site
from tests.status.sample import KATULAMPA, MIN, NOW

B = "b" * 20
TOKEN = {"Authorization": "Bearer right"}
READING_AT = "2014-01-29T15:20:00Z"

REQUESTS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    (f"/alerts/{B}/acknowledge", {"note": " seen "}, "acknowledge", {"alert": B, "note": "seen"}),
    (f"/alerts/{B}/confirm", {}, "confirm", {"alert": B, "note": ""}),
    (f"/alerts/{B}/shelve", {"until": NOW + MIN}, "shelve", {"alert": B, "note": "", "until": NOW + MIN}),
    (f"/alerts/{B}/unshelve", {}, "unshelve", {"alert": B, "note": ""}),
    (f"/alerts/{B}/close", {"note": "boat"}, "close", {"alert": B, "note": "boat"}),
    ("/readings", {"station": KATULAMPA, "value": 1.5, "unit": "m", "observed_at": READING_AT}, "reading",
     {"station": KATULAMPA, "kind": "water_level", "sensor": "main", "value": 150.0,
      "observed_at": NOW - 10 * MIN, "note": "", "vouched": False}),
    ("/readings", {"station": KATULAMPA, "value": -3}, "reading",
     {"station": KATULAMPA, "kind": "water_level", "sensor": "main", "value": -3.0, "observed_at": NOW, "note": "",
      "vouched": False}),
    ("/readings/mark-wrong", {"station": KATULAMPA, "observed_at": NOW - 10 * MIN, "note": "boat"}, "mark_wrong",
     {"station": KATULAMPA, "kind": "water_level", "sensor": "main", "observed_at": NOW - 10 * MIN, "value": 159.0,
      "received_at": NOW - 10 * MIN + 400, "note": "boat"}),
    (f"/stations/{KATULAMPA}/service", {"in_service": False, "note": "new sensor"}, "out_of_service",
     {"station": KATULAMPA, "note": "new sensor"}),
    (f"/stations/{KATULAMPA}/service", {"in_service": True}, "in_service", {"station": KATULAMPA, "note": ""}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "verb", "asked"), REQUESTS)
def test_a_request_becomes_a_command_and_the_answer_is_the_pipelines(
    site: Site, path: str, body: dict[str, Any], verb: str, asked: dict[str, Any]
) -> None:
    answer = site.client.post(f"/api/v1{path}", json=body, headers=TOKEN)
    assert answer.status_code == 200, answer.text
    assert answer.json()["ok"] is True
    assert site.board.commands == [(verb, asked, "Sari")]


@pytest.mark.parametrize(("path", "body"), [(path, body) for path, body, _, _ in REQUESTS])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic right"}])
def test_nobody_commands_without_a_valid_token(
    site: Site, path: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    answer = site.client.post(f"/api/v1{path}", json=body, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert site.board.commands == []


def test_a_body_may_be_left_out_where_nothing_is_needed(site: Site) -> None:
    assert site.client.post(f"/api/v1/alerts/{B}/acknowledge", headers=TOKEN).status_code == 200


def test_what_the_pipeline_refuses_is_a_conflict_in_its_own_words(site: Site) -> None:
    site.board.pipeline = lambda _verb, _body: Answer(
        False, "an alert that is normal cannot be told to shelve"
    )
    answer = site.client.post(f"/api/v1/alerts/{B}/close", headers=TOKEN)
    assert answer.status_code == 409
    assert answer.json()["detail"] == "an alert that is normal cannot be told to shelve"


def test_what_is_not_applied_within_a_second_can_be_asked_for_later(site: Site) -> None:
    site.board.pipeline = lambda _verb, _body: Answer(None, "")
    answer = site.client.post(f"/api/v1/alerts/{B}/close", headers=TOKEN)
    assert answer.status_code == 202
    assert answer.json()["state"] == "waiting"
    where = answer.headers["location"]
    assert site.client.get(where, headers=TOKEN).json()["state"] == "waiting"
    site.board.pipeline = lambda _verb, _body: Answer(True, "closed")
    assert site.client.get(where, headers=TOKEN).json() == {
        "id": 1,
        "state": "done",
        "ok": True,
        "text": "closed",
    }


def test_commands_are_not_for_everybody(site: Site) -> None:
    assert site.client.get("/api/v1/commands/1").status_code == 401
    assert site.client.get("/api/v1/commands/1", headers=TOKEN).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        ("/alerts/none/acknowledge", {}, 404, "none"),
        (f"/alerts/{B}/shelve", {}, 422, "until"),
        (f"/alerts/{B}/shelve", {"until": NOW}, 422, "future"),
        (f"/alerts/{B}/close", {"note": "x" * 501}, 422, "note"),
        ("/readings", {"station": "nowhere", "value": 1}, 404, "nowhere"),
        ("/readings", {"station": KATULAMPA, "value": "high"}, 422, "value"),
        ("/readings", {"station": KATULAMPA, "value": 1, "unit": "fathom"}, 422, "cm"),
        ("/readings", {"station": KATULAMPA, "value": 1, "observed_at": NOW + 3 * MIN}, 422, "passed"),
        ("/readings", {"station": KATULAMPA, "value": 1e308, "unit": "m"}, 422, "large"),
        ("/readings/mark-wrong", {"station": KATULAMPA, "observed_at": NOW - 1}, 404, "no reading"),
        (f"/stations/{KATULAMPA}/service", {"in_service": False}, 422, "reason"),
        (f"/stations/{KATULAMPA}/service", {}, 422, "in_service"),
        ("/stations/nowhere/service", {"in_service": True}, 404, "nowhere"),
    ],
)
def test_bad_requests_say_what_was_expected_and_ask_nothing(
    site: Site, path: str, body: dict[str, Any], status: int, word: str
) -> None:
    answer = site.client.post(f"/api/v1{path}", json=body, headers=TOKEN)
    assert answer.status_code == status
    assert word in answer.json()["detail"]
    assert site.board.commands == []


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"station": "116", "value": NaN}', b"\xff", b"[" * 50_000]
)
def test_any_bytes_as_a_body_give_a_problem(site: Site, content: bytes) -> None:
    headers = {**TOKEN, "Content-Type": "application/json"}
    answer = site.client.post("/api/v1/readings", content=content, headers=headers)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"
