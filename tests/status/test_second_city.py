"""No code knows Jakarta: the invented city has its pages too."""

from app.clock import VirtualClock
from pantau import cityfolder
from status.api import create_app
from tests.fakes_board import BoardInMemory, HealthInMemory
from tests.status.client import running
from tests.status.sample import NOW, ROOT, latest


def test_the_second_city_has_pages_stations_and_areas_of_its_own() -> None:
    city = cityfolder.load(ROOT / "cities" / "contoh")
    board = BoardInMemory()
    for station in city.stations.values():
        board.put(latest(station.id, 1, kind=station.kind, age_min=0.5, severity=0))
    with running(create_app(board, city, VirtualClock(NOW), HealthInMemory(), exercise=False)) as client:
        for path in ("/id", "/en", "/api/v1/areas", "/api/v1/alerts"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "Jakarta" not in answer.text
        for station in city.stations.values():
            page = client.get(f"/en/station/{station.id}")
            assert page.status_code == 200
            assert station.name in page.text
            assert client.get(f"/api/v1/stations/{station.id}").json()["properties"]["state"] == "ok"
