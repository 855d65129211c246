"""What is served over HTTP: health, readiness, metrics; and, apart from that, the listener for barmate's calls."""

from worker.web.application import create
from worker.web.credentials import BasicLogin, Credentials, SecretHeader
from worker.web.listener import OUTCOMES, Listener
from worker.web.server import LISTENER, Served, serve
from worker.web.tally import Tally

__all__ = [
    "LISTENER",
    "OUTCOMES",
    "BasicLogin",
    "Credentials",
    "Listener",
    "SecretHeader",
    "Served",
    "Tally",
    "create",
    "serve",
]
