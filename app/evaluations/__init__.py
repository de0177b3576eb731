"""``pantau evaluate ...``: one file a subcommand, each with ``register``; ``models.evaluations`` computes."""
