"""The language of the domain: words and rules, pure, without clock or network.

All instants are integers: milliseconds since 1970 UTC. All severities are 0 (normal) to 3 (worst).
"""
