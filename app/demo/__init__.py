"""``pantau demo``: a real flood, replayed through the real service on one machine, with nobody outside it told."""
