"""One file a check, each with ``look(context)`` that yields findings; ``app.doctor.examine`` finds them."""
