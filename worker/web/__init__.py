"""What a probe or a monitor sees over HTTP: health, readiness, metrics."""

from worker.web.application import create
from worker.web.server import Served, serve

__all__ = ["Served", "create", "serve"]
