"""Rain in mm that fell during the reading's interval."""

from pantau.kind import Kind

KIND = Kind(
    name="rain",
    label={"id": "curah hujan", "en": "rain"},
    unit="mm",
    units={"mm": 1.0, "cm": 10.0, "in": 25.4},
    low=0.0,
    # The world record for one hour is about 400 mm; more in one interval is a broken gauge.
    high=500.0,
    flat_h=6.0,
    flat_above=0.0,
    steady=1.0,
    decimals=1,
)
