"""rivers.geojson -> the rivers as lines, for the map."""

import json
from typing import Any

from pantau.cityfolder.problems import Problems

__all__ = ["RIVERS", "read_rivers"]

RIVERS = "rivers.geojson"


def read_rivers(text: str | None, problems: Problems) -> dict[str, Any]:
    """The rivers as lines, for the map."""
    empty: dict[str, Any] = {"type": "FeatureCollection", "features": []}
    if text is None:
        return empty
    try:
        data: dict[str, Any] = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(data, ensure_ascii=False).encode()  # half of a surrogate pair would break the page later
    except json.JSONDecodeError as error:
        problems.add(
            RIVERS, error.lineno, f"this is not JSON ({error.msg}, column {error.colno}); correct the line"
        )
        return empty
    except (ValueError, RecursionError) as error:
        problems.add(RIVERS, None, f"this is not JSON ({error}); correct the file")
        return empty
    if not _is_collection(data):
        problems.add(RIVERS, None, 'expected a GeoJSON FeatureCollection; an empty one has "features": []')
        return empty
    for index, feature in enumerate(data["features"]):
        for mistake in _feature_mistakes(feature):
            problems.add(RIVERS, None, f"features[{index}]{mistake}")
    return data


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _is_collection(data: object) -> bool:
    return (
        isinstance(data, dict)
        and data.get("type") == "FeatureCollection"
        and isinstance(data.get("features"), list)
    )


def _feature_mistakes(feature: object) -> list[str]:
    """What is wrong with a feature, each with its path inside it."""
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        return [": expected a GeoJSON Feature"]
    found = []
    properties, geometry = feature.get("properties"), feature.get("geometry")
    if not isinstance(properties, dict) or not isinstance(properties.get("name"), str):
        found.append(".properties.name: expected the river's name")
    shape = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(geometry, dict) or shape not in ("LineString", "MultiLineString"):
        return [*found, f".geometry.type is {shape!r:.80}, expected LineString or MultiLineString"]
    lines = geometry.get("coordinates") if shape == "MultiLineString" else [geometry.get("coordinates")]
    if (
        not isinstance(lines, list)
        or not lines
        or not all(isinstance(line, list) and len(line) > 1 for line in lines)
    ):
        return [*found, ".geometry.coordinates: expected at least two points [longitude, latitude] a line"]
    wrong = [point for line in lines for point in line if not _is_point(point)]
    return [
        *found,
        *(f".geometry.coordinates hold {point!r:.80}, expected [longitude, latitude]" for point in wrong[:3]),
    ]


def _is_point(point: object) -> bool:
    if not isinstance(point, list) or len(point) not in {2, 3}:
        return False
    bounds = (180, 90, 100_000)  # degrees, degrees, metres of altitude
    return all(
        type(number) in {int, float} and -bound <= number <= bound
        for number, bound in zip(point, bounds, strict=False)
    )
