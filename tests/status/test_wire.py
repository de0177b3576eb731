"""What every answer has in common, health and metrics."""

import pytest

from status.params import parse_duration, parse_instant
from tests.status.conftest import Site
from tests.status.sample import KATULAMPA

PUBLIC = [
    "/api/v1/stations", f"/api/v1/stations/{KATULAMPA}", f"/api/v1/stations/{KATULAMPA}/readings", "/api/v1/alerts",
    "/api/v1/alerts/" + "b" * 20, "/api/v1/areas", "/api/v1/areas/31.71.01.1001",
]  # fmt: skip


@pytest.mark.parametrize("path", PUBLIC)
def test_public_answers_have_cors_caching_etag_and_304(site: Site, path: str) -> None:
    answer = site.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "max-age" in answer.headers["cache-control"]
    again = site.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", [*PUBLIC, "/id", "/en", "/healthz", "/api/v1/stream", "/static/pantau.css"])
def test_head_gives_the_same_headers_without_a_body(site: Site, path: str) -> None:
    head = site.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    if path != "/api/v1/stream":
        assert head.headers.get("etag") == site.client.get(path).headers.get("etag")


def test_a_browser_may_ask_beforehand(site: Site) -> None:
    asked = {"Origin": "https://example.org", "Access-Control-Request-Headers": "if-none-match"}
    answer = site.client.options("/api/v1/stations", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "If-None-Match" in answer.headers["access-control-allow-headers"]
    assert "POST" not in answer.headers["access-control-allow-methods"]


def test_operators_answers_are_for_no_other_origin_and_kept_by_nobody(site: Site) -> None:
    answer = site.client.post("/api/v1/readings", headers={"Origin": "https://example.org"})
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/nowhere", 404),
        ("DELETE", "/api/v1/stations", 405),
        ("POST", "/id", 405),
    ],
)
def test_what_does_not_exist_is_a_problem_too(site: Site, method: str, path: str, status: int) -> None:
    answer = site.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["instance"]) == (status, path)
    assert body["title"]
    assert body["detail"]


def test_an_unexpected_error_is_a_problem_without_a_traceback(site: Site) -> None:
    site.board.timelines = None  # type: ignore[assignment]
    answer = site.client.get("/api/v1/alerts/" + "b" * 20)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "NoneType" not in answer.text


def test_scripts_come_only_from_here(site: Site) -> None:
    headers = site.client.get("/id").headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_ready_is_503_until_the_service_is_and_then_tells_the_peers(site: Site) -> None:
    site.health.ready = False
    assert site.client.get("/readyz").status_code == 503
    site.health.ready = True
    site.health.degraded = ["influxdb"]
    site.board.impaired = {"influxdb": "impaired since 22:10"}
    answer = site.client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True, "degraded": ["influxdb"], "peers": {"influxdb": "impaired since 22:10", "mqtt": "ok"},
    }  # fmt: skip
    assert site.client.get("/healthz").json() == {"alive": True}


def test_metrics_count_answers_by_route_not_by_path(site: Site) -> None:
    site.client.get(f"/api/v1/stations/{KATULAMPA}")
    site.client.get("/nowhere")
    text = site.client.get("/metrics").text
    assert 'route="/api/v1/stations/{id}",status="200"' in text
    assert 'route="none",status="404"' in text
    assert f'/{KATULAMPA}"' not in text
    assert 'pantau_stations{state="never_reported"}' in text
    assert 'pantau_open_alerts{hazard="flood",severity="3"} 1.0' in text


def test_openapi_describes_the_api_and_not_the_pages(site: Site) -> None:
    paths = site.client.get("/api/v1/openapi.json").json()["paths"]
    assert "/api/v1/stations/{id}/readings" in paths
    assert "/id" not in paths


@pytest.mark.parametrize("found", [None, True, 1.5, "", "2014", "2014-01-29", -1, "1e3", [], {}])
def test_what_is_no_instant_is_refused_with_an_example(found: object) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_instant(found)


@pytest.mark.parametrize(
    ("text", "ms"), [("PT10M", 600_000), ("P1D", 86_400_000), ("P1WT1H1M1S", 608_461_000)]
)
def test_durations(text: str, ms: int) -> None:
    assert parse_duration(text) == ms
