"""``pantau plot ...``: one file a picture, each with ``register``; ``app.drawings`` draws."""
