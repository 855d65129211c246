"""The container files, the settings and the command line say the same.

There is no engine in a test run, so the files are read, and the steps that make the image are run in a plain folder.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from settings.catalogue import Known, catalogue
from tests.cli_kit import Shell

ROOT = Path(__file__).parents[2]
# Seconds for the slowest step of the image: installing the locked requirements.
STEP_SECONDS = 240
WAYBILL_SERVICES = ("scheduler", "work", "web")
HEALTH_PATH = "/healthz"


def compose() -> dict[str, Any]:
    """The parsed compose file, its anchors resolved."""
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return parsed


def dockerfile() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order: keyword and argument, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return [(keyword, argument.strip()) for keyword, _, argument in pairs]


def instruction(keyword: str) -> str:
    """The argument of the last such instruction, the one that counts."""
    return [argument for found, argument in dockerfile() if found == keyword][-1]


def known_names() -> set[str]:
    """Every environment name that the settings read, with the file variants of the secrets."""
    return {name for known in catalogue() for name in _names_of(known)}


def _names_of(known: Known) -> tuple[str, ...]:
    name = known.environment_name
    return (name, f"{name}_FILE") if known.secret else (name,)


def defaults() -> dict[str, object]:
    """The default of every setting by its environment name."""
    return {known.environment_name: known.default for known in catalogue()}


def waybill_variables(text: str) -> set[str]:
    """Every WAYBILL_ name in a text."""
    return set(re.findall(r"\bWAYBILL_[A-Z_]+[A-Z]", text))


@pytest.mark.parametrize("file", ["compose.yaml", "Dockerfile", ".env.example"])
def test_every_variable_a_file_sets_is_a_setting(file: str) -> None:
    """A container file that names a setting we do not have would stop at its first start."""
    assert waybill_variables((ROOT / file).read_text()) <= known_names()


def test_every_key_of_the_example_file_is_a_setting() -> None:
    """A user who copies the example and takes the comments away gets no unknown key."""
    text = (ROOT / "waybill.example.toml").read_text()
    uncommented = re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", text)
    tree = tomllib.loads(uncommented)
    accounts = tree.pop("accounts")

    assert {f"WAYBILL_{name}" for name in _flat({**tree, "logistic_cloud": accounts[0]})} <= known_names()
    assert {f"WAYBILL_{name}" for name in _flat(tree)} <= known_names()


def _flat(tree: dict[str, Any]) -> set[str]:
    names: set[str] = set()
    for key, value in tree.items():
        inner = {f"{key}__{name}" for name in _flat(value)} if isinstance(value, dict) else {key}
        names |= {name.upper() for name in inner}
    return names


def test_compose_runs_the_scheduler_two_workers_and_the_web_part() -> None:
    """The parts of DESIGN §8 that make several processes are the services."""
    services = compose()["services"]

    assert [services[name]["command"] for name in WAYBILL_SERVICES] == [["scheduler"], ["work"], ["web"]]
    assert services["work"]["deploy"]["replicas"] == 2


def test_compose_waits_until_the_servers_are_healthy() -> None:
    """A part that starts before its database would only restart until it is there."""
    services = compose()["services"]

    for name in WAYBILL_SERVICES:
        assert {key: on["condition"] for key, on in services[name]["depends_on"].items()} == {
            "postgres": "service_healthy",
            "redis": "service_healthy",
        }
    assert all("healthcheck" in service for service in services.values())


def test_compose_reads_no_secret_from_the_environment() -> None:
    """A secret in the environment shows up in `docker inspect`; it comes from a file that is granted."""
    described = compose()
    secret_names = {known.environment_name for known in catalogue() if known.secret} - {"WAYBILL_REDIS_URL"}

    for service in described["services"].values():
        environment = service.get("environment", {})
        files = [value for name, value in environment.items() if name.endswith("_FILE")]
        granted = {f"/run/secrets/{name}" for name in service.get("secrets", [])}

        assert not secret_names & set(environment)
        assert set(files) <= granted
    assert set(described["secrets"]) == {name for s in described["services"].values() for name in s.get("secrets", [])}


def test_redis_keeps_what_it_is_given() -> None:
    """The queue's Redis appends to disk and never evicts."""
    command = " ".join(compose()["services"]["redis"]["command"])

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_the_port_and_the_state_are_the_same_everywhere() -> None:
    """Dockerfile, compose and the settings' defaults agree on where the web part and the state are."""
    port = defaults()["WAYBILL_WEB__PORT"]
    web = compose()["services"]["web"]

    assert instruction("EXPOSE") == str(port)
    assert web["environment"]["WAYBILL_WEB__PORT"] == str(port)
    assert web["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"WAYBILL_STATE_DIR={instruction('VOLUME')}" in instruction("ENV")


def test_the_health_checks_ask_the_web_part() -> None:
    """The image and the web service are healthy when the health path answers on loopback."""
    image = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])
    web = compose()["services"]["web"]["healthcheck"]["test"][1:]

    assert image == web
    assert f"http://127.0.0.1:{defaults()['WAYBILL_WEB__PORT']}{HEALTH_PATH}" in image[-1]


def test_the_image_runs_waybill_as_nobody_special() -> None:
    """The container runs `waybill run` and is not root."""
    assert json.loads(instruction("ENTRYPOINT")) == ["waybill"]
    assert json.loads(instruction("CMD")) == ["run"]
    assert instruction("USER") == "waybill"


@pytest.mark.parametrize("command", ["run", "scheduler", "work", "web", "status"])
def test_every_command_the_container_files_use_exists(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What compose and the image start, the command line knows."""
    assert Shell(tmp_path, monkeypatch, capsys)(command, "--help").status == 0


def test_the_lock_files_name_no_place_to_download_from() -> None:
    """Hashes say what is installed; where it comes from is the installing machine's affair."""
    for lock in (ROOT / "requirements").glob("*.lock"):
        lines = [line.strip() for line in lock.read_text().splitlines()]
        requirements = [line for line in lines if not line.startswith("--hash=sha256:")]

        assert all(re.match(r"[a-z0-9-]+(\[[a-z,]+\])?==", line) for line in requirements), lock.name


def test_the_shipped_requirements_are_among_the_tested_ones() -> None:
    """What the image installs is what the tests ran with."""
    pins = {lock.stem: _pins(lock) for lock in (ROOT / "requirements").glob("*.lock")}

    assert pins["runtime"] <= pins["dev"]
    assert pins["build"] <= pins["dev"]


def _pins(lock: Path) -> set[str]:
    return set(re.findall(r"(?m)^[a-z0-9-]+==[^ ;\\]+", lock.read_text()))


def test_the_wheel_holds_all_that_the_packages_hold(tmp_path: Path) -> None:
    """Migrations, templates and markers travel with the code: an installed waybill is a whole one."""
    source = tmp_path / "source"
    for argument in _copied_into_the_build():
        _copy(argument, source)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), "."]
    done = subprocess.run(build, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    wheel = ZipFile(next(tmp_path.glob("*.whl")))
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert packed == _files_of("worker", "connectors", "settings")


def _files_of(*packages: str) -> set[str]:
    paths = (path for package in packages for path in (ROOT / package).rglob("*"))
    return {str(path.relative_to(ROOT)) for path in paths if path.is_file() and "__pycache__" not in path.parts}


@pytest.mark.long
@pytest.mark.timeout(STEP_SECONDS)
def test_the_build_steps_of_the_image_give_a_working_command(
    tmp_path: Path, machine_environment: Mapping[str, str]
) -> None:
    """The RUN lines of the first stage, run in a plain folder, end with a `waybill` that answers."""
    source = tmp_path / "source"
    for argument in _copied_into_the_build():
        _copy(argument, source)
    for step in _build_steps(tmp_path):
        command = ["/bin/sh", "-ec", step]
        # They download, so they need to trust whom the machine trusts.
        done = subprocess.run(command, cwd=source, env=machine_environment, capture_output=True, text=True, check=False)

        assert done.returncode == 0, f"{step}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
    assert "rehearse" in done.stdout


def _first_stage() -> list[tuple[str, str]]:
    steps = dockerfile()
    stages = [place for place, (keyword, _) in enumerate(steps) if keyword == "FROM"]
    return steps[stages[0] : stages[1]]


def _copied_into_the_build() -> list[str]:
    return [argument for keyword, argument in _first_stage() if keyword == "COPY"]


def _build_steps(home: Path) -> list[str]:
    """The RUN lines, with the image's folders moved under `home` and its Python being ours."""
    moved = (step.replace("/opt/", f"{home}/opt/") for keyword, step in _first_stage() if keyword == "RUN")
    return [re.sub(r"^python ", f"{shlex.quote(sys.executable)} ", step) for step in moved]


def _copy(argument: str, source: Path) -> None:
    *names, target = argument.split()
    for name in names:
        origin = ROOT / name
        destination = source / target if origin.is_dir() else source / target / origin.name
        destination.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, destination, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(origin, destination)
