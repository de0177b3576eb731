"""Water level (tinggi muka air) in cm above the station's own gauge zero; negative is valid."""

from pantau.kind import Kind

KIND = Kind(
    name="water_level",
    label={"id": "tinggi muka air", "en": "water level"},
    unit="cm",
    units={"cm": 1.0, "mm": 0.1, "m": 100.0},
    # Gauge zeros differ by station and some stations report altitude, so only the impossible is outside.
    low=-10_000.0,
    high=100_000.0,
    # Limits tell where a gauge's zero lies. No level of the Ciliwung recording is above its highest limit; 20 m leave
    # room for a flood that nobody has seen, and a sensor that sends its full scale is beyond them.
    above_limits=2_000.0,
    # 50 cm in 10 min is the largest honest step of a public 10-minute series; 40 is where one more reading is asked.
    step=40.0,
    # The largest honest three-point residual of the same series is 13.5 cm.
    spike=20.0,
    # Shortest run that is ever doubted; a station that lies flat for longer teaches the check (pantau.quality).
    flat_h=12.0,
    steady=2.0,
    siaga=True,
)
