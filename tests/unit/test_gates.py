"""The gates themselves: contracts that list something are complete."""

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_simulators_are_kept_apart_from_every_connector() -> None:
    """The contract names each module of `connectors` but the simulators, so a new one cannot be forgotten."""
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    forbidden = set(contracts["importlinter:contract:simulated"]["forbidden_modules"].split())
    modules = {path.stem for path in (ROOT / "connectors").iterdir() if path.suffix == ".py" or path.is_dir()}

    assert forbidden == {"worker", "settings"} | {
        f"connectors.{name}" for name in modules - {"__init__", "__pycache__", "simulated"}
    }
