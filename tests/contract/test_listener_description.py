"""The listener is what its OpenAPI description says, whatever is sent; what is kept is a hint or nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from connectors.barmate_call import LONGEST_TEXT, CallType
from tests.databases import migrated
from tests.listener_kit import HEADER, HOST, RIGHT, Ears, call, ears
from worker.customers.hearing import MOST_WAITING
from worker.db import Database
from worker.db.tables import customer_orders, events, tasks
from worker.web.listener import LARGEST_BODY, METHODS, PATH

FILE = Path(__file__).parents[2] / "docs" / "barmate-listener.openapi.json"
DESCRIBED: dict[str, Any] = json.loads(FILE.read_text())
API = schemathesis.openapi.from_dict(DESCRIBED)
FEW, MANY = 25, 500
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Ears]:
    """A listener before an empty database."""
    with migrated(f"sqlite:///{tmp_path / 'waybill.db'}") as database, ears(database) as listening:
        yield listening


def fuzz(
    heard: Ears, mode: GenerationMode, headers: dict[str, str] | None, examples: int = FEW
) -> list[tuple[Case[Any], Response]]:
    """Make up calls by the description, or against it, and check each answer by it. Few are the same at every run."""
    made: list[tuple[Case[Any], Response]] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples == FEW,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=API.as_strategy(generation_mode=mode))
    def send(case: Case[Any]) -> None:
        response = case.call(f"http://{heard.host}:{heard.port}", session=session, headers=headers, timeout=30)
        case.validate_response(response, checks=CHECKS)
        made.append((case, response))

    with requests.Session() as session:
        send()
    return made


def kept(database: Database) -> int:
    """How many rows there are of anything but hints."""
    with database.read() as connection:
        return sum(len(connection.execute(table.select()).all()) for table in (customer_orders, events, tasks))


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_a_stranger_sends_nothing_is_kept(heard: Ears, mode: GenerationMode) -> None:
    """Well formed or not, with whatever credentials were made up: 401, always the same."""
    made = fuzz(heard, mode, None)

    assert {response.status_code for _case, response in made} == {401}
    assert heard.hints() == []
    assert kept(heard.database) == 0


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_is_sent_with_the_credentials_nothing_but_hints_is_kept(heard: Ears, mode: GenerationMode) -> None:
    """Each answer is one that is described, and none is a 5xx."""
    made = fuzz(heard, mode, RIGHT)

    _judge(heard, made)
    assert mode is GenerationMode.NEGATIVE or heard.hints()


@pytest.mark.long
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_nothing_but_hints_is_kept_of_very_many_calls(heard: Ears, mode: GenerationMode) -> None:
    """The same with other calls at every run."""
    _judge(heard, fuzz(heard, mode, RIGHT, MANY))


def _judge(heard: Ears, made: list[tuple[Case[Any], Response]]) -> None:
    hints = heard.hints()
    assert {response.status_code for _case, response in made} <= {200, 400}
    assert {type_ for _host, _key, _order, type_ in hints} <= set(CallType)
    assert {host for host, _key, _order, _type in hints} <= {HOST}
    assert len(hints) == heard.counted().get("taken", 0)
    assert kept(heard.database) == 0


def test_the_description_has_the_bounds_that_are_in_force() -> None:
    """Who changes one of them changes the other."""
    text = FILE.read_text()
    schema = DESCRIBED["components"]["schemas"]["Call"]["properties"]

    assert set(DESCRIBED["paths"]) == {PATH}
    assert {method.upper() for method in DESCRIBED["paths"][PATH]} == METHODS
    assert schema["type"]["enum"] == [one.value for one in CallType]
    assert schema["idempotency_key"]["maxLength"] == LONGEST_TEXT
    assert schema["data"]["properties"]["id"]["anyOf"][0]["maxLength"] == LONGEST_TEXT
    assert f"At most {LARGEST_BODY} bytes." in text
    assert f"{MOST_WAITING} hints wait" in text
    assert DESCRIBED["components"]["securitySchemes"]["header"]["name"] == HEADER.name


def test_every_described_answer_can_happen(heard: Ears) -> None:
    """A status that never comes would mislead whoever reads the description; 429 and 503 have tests of their own."""
    answers = [
        heard.send(call()),
        heard.send(b"{"),
        heard.send(call(), headers={}),
        heard.send(b"x" * (LARGEST_BODY + 1)),
    ]
    described = {int(status) for status in DESCRIBED["paths"][PATH]["post"]["responses"]}

    assert {answer.status for answer in answers} | {429, 503} == described
