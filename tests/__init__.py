"""The tests; mirrors the packages. A package of its own name, so that `tests.peers` is ours and nobody else's."""
