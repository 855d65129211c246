"""Who is measured: the peers by name, each with the Python it runs on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Where `make benchmark` installs requirements/benchmark.lock: nothing of it is ever beside waybill.
PEERS_PYTHON = ROOT / ".venv" / "benchmark" / "bin" / "python"

BARE = "bare httpx + orjson"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One who reads. `stores` says what is kept; `needs` is the import without which it is missing."""

    name: str
    module: str
    stores: str
    python: Path = Path(sys.executable)
    needs: str = "httpx"
    webhook: bool = False
    is_framework: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def keeps(self) -> bool:
        """Whether anything is stored, so that it can be compared with the account."""
        return self.stores != "nothing"


_QUIET = {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_TELEMETRY_DISABLED": "true", "RUNTIME__LOG_LEVEL": "ERROR"}

PEERS = (
    Peer(name=BARE, module="bare", stores="nothing"),
    Peer(name="plain loop", module="plain_loop", stores="rows"),
    Peer(
        name="airbyte-cdk",
        module="airbyte",
        stores="rows",
        python=PEERS_PYTHON,
        needs="airbyte_cdk",
        is_framework=True,
    ),
    Peer(
        name="airbyte-cdk with a window end",
        module="airbyte_window",
        stores="rows",
        python=PEERS_PYTHON,
        needs="airbyte_cdk",
        is_framework=True,
    ),
    Peer(name="singer-sdk", module="singer", stores="rows", python=PEERS_PYTHON, needs="singer_sdk", is_framework=True),
    Peer(
        name="dlt",
        module="dlt_pipeline",
        stores="rows",
        python=PEERS_PYTHON,
        needs="dlt",
        is_framework=True,
        environment=_QUIET,
    ),
    Peer(name="waybill", module="waybill", stores="rows, events, tasks, certificates"),
    Peer(
        name="waybill + webhook",
        module="waybill",
        stores="rows, events, tasks twice, certificates",
        webhook=True,
    ),
)


def is_there(peer: Peer) -> bool:
    """Whether its Python and its library can be used."""
    if not peer.python.exists():
        return False
    found = subprocess.run([str(peer.python), "-c", f"import {peer.needs}"], capture_output=True, check=False)
    return found.returncode == 0
