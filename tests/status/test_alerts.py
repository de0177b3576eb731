"""GET /api/v1/alerts and /api/v1/alerts/{id}, /areas and /areas/{code}."""

from tests.status.conftest import Site
from tests.status.sample import DEPOK, KATULAMPA, MANGGARAI, MIN, NOW, alert, latest
from tests.status.test_stations import eventually

A, B, C, F = "a" * 20, "b" * 20, "c" * 20, "f" * 20


def ids(site: Site, query: str = "") -> list[str]:
    return [found["id"] for found in site.client.get(f"/api/v1/alerts{query}").json()["alerts"]]


def test_open_alerts_are_the_default_and_all_adds_the_closed_ones(site: Site) -> None:
    assert F not in ids(site)
    assert F in ids(site, "?state=all")


def test_an_unconfirmed_alert_says_so(site: Site) -> None:
    found = next(alert for alert in site.client.get("/api/v1/alerts").json()["alerts"] if alert["id"] == C)
    assert found["confirmed"] is False
    assert found["headline"]["en"].endswith("(unconfirmed)")


def test_alerts_are_found_by_hazard_area_and_change(site: Site) -> None:
    assert ids(site, "?hazard=density") == ["d" * 20]
    area = site.city.warns[KATULAMPA][0]
    assert set(ids(site, f"?area={area}")) == {A, B}
    assert ids(site, f"?since={NOW}") == []
    assert ids(site, f"?since={NOW - 30 * MIN}")


def test_pages_of_alerts_follow_each_other(site: Site) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = site.client.get("/api/v1/alerts", params={"state": "all", "limit": 2, "cursor": cursor}).json()
        seen += [found["id"] for found in page["alerts"]]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert sorted(seen) == sorted(ids(site, "?state=all"))


def test_an_ended_alert_says_that_it_is_over_and_shows_no_value(site: Site) -> None:
    found = site.client.get(f"/api/v1/alerts/{F}").json()
    assert found["headline"] == {
        "id": "P.A. Manggarai 2 Siaga 3 (Waspada): peringatan berakhir",
        "en": "P.A. Manggarai 2 Siaga 3 (Watch): alert ended",
    }
    assert found["value"] == 744.0, "what led to it, for whoever wants to know"
    assert found["advice"] is None


def test_an_alert_tells_what_people_do_about_what_is_confirmed_of_it(site: Site) -> None:
    def advice(id: str) -> object:
        return site.client.get(f"/api/v1/alerts/{id}").json()["advice"]

    assert advice(A) == {language: texts[3] for language, texts in site.city.advice.items()}
    assert advice("d" * 20) == {language: texts[1] for language, texts in site.city.crowd_advice.items()}
    assert advice(C) is None, "nothing of it is confirmed"
    assert advice("e" * 20) is None, "nothing is to be done about a broken sensor"


def test_bad_queries_are_problems(site: Site) -> None:
    for query, status in (
        ("?state=open", 422),
        ("?hazard=fire", 422),
        ("?cursor=nonsense", 400),
        ("?limit=0", 422),
    ):
        answer = site.client.get(f"/api/v1/alerts{query}")
        assert answer.status_code == status, query
        assert answer.json()["status"] == status
        assert answer.headers["content-type"] == "application/problem+json"


def test_one_alert_tells_its_timeline_and_why(site: Site) -> None:
    found = site.client.get(f"/api/v1/alerts/{B}").json()
    assert [step["what"] for step in found["timeline"]] == ["raised", "raised", "confirmed", "acknowledged"]
    assert found["why"]["limits"] == [80.0, 150.0, 200.0]
    assert found["timeline"][2]["siaga"] == 2


def test_the_public_learns_that_an_operator_did_it_but_not_who(site: Site) -> None:
    answer = site.client.get(f"/api/v1/alerts/{B}")
    assert answer.json()["timeline"][3]["by"] == "operator"
    assert "Sari" not in answer.text
    assert "called the post" not in answer.text


def test_an_operator_reads_who_acted_and_what_they_noted(site: Site) -> None:
    answer = site.client.get(f"/api/v1/alerts/{B}", headers={"Authorization": "Bearer right"})
    steps = answer.json()["timeline"]
    assert (steps[3]["by"], steps[3]["name"], steps[3]["note"]) == ("operator", "Sari", "called the post")
    assert (steps[0]["name"], steps[0]["note"]) == (None, None)
    assert answer.headers["cache-control"] == "no-store"


def test_no_cache_gives_the_operators_answer_to_the_public(site: Site) -> None:
    site.client.get(f"/api/v1/alerts/{B}", headers={"Authorization": "Bearer right"})
    public = site.client.get(f"/api/v1/alerts/{B}")
    assert "Authorization" in public.headers["vary"]
    assert not {"name", "note"} & set(public.json()["timeline"][3])


def test_a_wrong_token_does_not_read_an_alert_as_the_public(site: Site) -> None:
    answer = site.client.get(f"/api/v1/alerts/{B}", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401


def test_an_unknown_alert_is_a_problem(site: Site) -> None:
    assert site.client.get("/api/v1/alerts/nope").status_code == 404


def test_areas_say_the_worst_confirmed_hazard_and_who_says_so(site: Site) -> None:
    code = next(code for code in site.city.warns[KATULAMPA] if code in site.city.warns[DEPOK])
    area = site.client.get(f"/api/v1/areas/{code}").json()
    assert (area["state"], area["hazard"], area["severity"]) == ("warned", "flood", 3)
    assert area["stations"] == [DEPOK, KATULAMPA]
    assert area["since"] == "2014-01-29T14:50:00.000Z"
    assert [found["id"] for found in area["open_alerts"]] == [A, B]
    assert {watcher["id"] for watcher in area["watched_by"]} >= {DEPOK, KATULAMPA}


def test_every_area_of_the_city_is_listed(site: Site) -> None:
    areas = site.client.get("/api/v1/areas").json()["areas"]
    assert {area["code"] for area in areas} == set(site.city.areas)


def test_an_unconfirmed_alert_warns_no_area(site: Site) -> None:
    code = next(iter(site.city.areas))
    site.board.put(
        alert("x", MANGGARAI, 3, confirmed=False, confirmed_severity=0, worst=0, areas=(code,)),
    )
    eventually(lambda: len(ids(site)) == 6)
    assert site.client.get(f"/api/v1/areas/{code}").json()["hazard"] is None


def test_an_area_nobody_speaks_for_is_unknown_and_never_normal(site: Site) -> None:
    watched = {code for codes in site.city.warns.values() for code in codes}
    alone = next(code for code in site.city.areas if code not in watched and code != "31.71.01.1001")
    area = site.client.get(f"/api/v1/areas/{alone}").json()
    assert (area["state"], area["severity"], area["label"]) == ("unknown", None, None)


def test_a_watched_area_is_normal_only_while_its_gauge_is_current(site: Site) -> None:
    warned = {code for station in (DEPOK, KATULAMPA) for code in site.city.warns[station]}
    code = next(code for code in site.city.warns[MANGGARAI] if code not in warned)
    assert site.client.get(f"/api/v1/areas/{code}").json()["state"] == "normal"
    site.board.put(latest(MANGGARAI, 742, age_min=600))
    eventually(lambda: site.client.get(f"/api/v1/areas/{code}").json()["state"] == "unknown")


def test_an_unknown_area_is_a_problem(site: Site) -> None:
    assert site.client.get("/api/v1/areas/99").status_code == 404


def test_in_an_exercise_every_alert_station_and_area_says_so(exercise: Site) -> None:
    assert all(found["exercise"] for found in exercise.client.get("/api/v1/alerts").json()["alerts"])
    collection = exercise.client.get("/api/v1/stations").json()
    assert collection["exercise"] is True
    assert all(feature["properties"]["exercise"] for feature in collection["features"])
    assert exercise.client.get("/api/v1/areas").json()["exercise"] is True
