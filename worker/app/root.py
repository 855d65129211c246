"""The composition root: from settings to services. Each is made when it is first asked for, and opens no connection."""

import os
import secrets
import socket
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from random import Random

import sqlalchemy as sa

from connectors.errors import Misconfigured
from settings import AccountSettings, Settings
from worker import accounts, checkpoints, kinds
from worker.account_source import AccountSource
from worker.accounts import Accounts
from worker.app.clients import Clients
from worker.app.reading import Reading
from worker.broker import in_memory_broker, redis_broker
from worker.clock import Clock, SystemClock
from worker.closing import Closing
from worker.completion import Completion
from worker.db import Database
from worker.db.upgrade import require_current, upgrade
from worker.engine import Duties, Engine, Part
from worker.errors import NotReady
from worker.event_log import EventLog
from worker.events import OrderKey
from worker.factors import load_factors
from worker.idleness import DEFAULT_PATIENCE_SECONDS, Due, due
from worker.jobs import Jobs
from worker.kinds import RULES
from worker.leadership import Leadership
from worker.leases import Leases
from worker.links import Links
from worker.mirror import Mirror
from worker.mirror_again import MirrorAgain
from worker.observations import Observations
from worker.order_reader import OrderReader
from worker.poller import Poller
from worker.pruning import Pruning
from worker.pulse import Pulse
from worker.recorder import Recorder
from worker.runner import Service
from worker.scheduler import Scheduler, Tick
from worker.standing import OrderReading
from worker.status import Status, read_status
from worker.stopping import Stop
from worker.subscriptions import subscriptions
from worker.tail import Tail
from worker.tasks import Claim, Tasks
from worker.window_job import WindowDesk
from worker.windows import WindowReader
from worker.work import Outcome
