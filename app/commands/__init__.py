"""One file a command (or a family of them), each with ``register(cli)``; ``app.cli`` finds them."""
