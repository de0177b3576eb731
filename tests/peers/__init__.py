"""Real peers for tests: context managers, each on a free local port, in a temporary folder, ended with the test run.

A peer that is not on this machine skips the test with the reason; with ``CI=true`` it fails it instead. Mark what
uses these ``@pytest.mark.real``. Nothing here is a fixture: a module makes its own, with the scope that it wants::

    @pytest.fixture(scope="module")
    def broker() -> Iterator[Broker]:
        with mosquitto() as peer:
            yield peer

Every server has ``kill()`` (SIGKILL), ``stop()`` (SIGTERM) and ``start()`` again: same port, same data.
"""

from tests.peers.broker import Broker, mosquitto
from tests.peers.browser import chromium
from tests.peers.influx import Influx, influxd
from tests.peers.postgres import Postgres, postgres
from tests.peers.process import Peer, free_port, missing, program
from tests.peers.secured import SecuredBroker, secured
from tests.peers.service import Pantau, pantau, service

__all__ = [
    "Broker",
    "Influx",
    "Pantau",
    "Peer",
    "Postgres",
    "SecuredBroker",
    "chromium",
    "free_port",
    "influxd",
    "missing",
    "mosquitto",
    "pantau",
    "postgres",
    "program",
    "secured",
    "service",
]
