"""Persons present in a camera's zone; a count is not a density, which needs the zone's area."""

from pantau.kind import Kind

KIND = Kind(
    name="crowd_count",
    label={"id": "jumlah orang", "en": "people counted"},
    unit="persons",
    units={"persons": 1.0, "person": 1.0, "people": 1.0, "orang": 1.0},
    low=0.0,
    high=1_000_000.0,
    # A camera that repeats one number for hours has usually stopped; an empty place has not.
    flat_h=6.0,
    flat_above=5.0,
    most_per_m2=12.0,
    capacities=5.0,
    empty_from=30.0,
    steady=10.0,
)
