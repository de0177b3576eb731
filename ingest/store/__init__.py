"""Where readings are kept: the embedded database, InfluxDB or (backtest) memory, all behind ``pantau.ports``."""
