"""What the settings of barmate mean together: a sentence for each way in which they do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from settings import SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path

USED = {"BASE_URL": "https://barmate.example/api", "TOKEN": "tok"}
HEADER = {"WEBHOOK_HEADER": "X-Secret", "WEBHOOK_SECRET": "s3cret"}
BASIC = {"WEBHOOK_USER": "barmate", "WEBHOOK_PASSWORD": "s3cret"}
HEARD = {"LISTEN_HOST": "127.0.0.1", "LISTEN_PORT": "8480"}


def environ(given: dict[str, str]) -> dict[str, str]:
    """Return the environment that gives these settings of barmate."""
    return {f"WAYBILL_BARMATE__{name}": value for name, value in given.items()}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"BASE_URL": USED["BASE_URL"]},
            "WAYBILL_BARMATE__TOKEN is missing; barmate wants it together with WAYBILL_BARMATE__BASE_URL.",
        ),
        (
            {"TOKEN": "tok"},
            "WAYBILL_BARMATE__BASE_URL is missing; give it together with WAYBILL_BARMATE__TOKEN.",
        ),
        (
            {"REQUIRE_RECEIPT": "true"},
            (
                "WAYBILL_BARMATE__REQUIRE_RECEIPT is given, but barmate is not used; "
                "give WAYBILL_BARMATE__BASE_URL and WAYBILL_BARMATE__TOKEN, or remove it."
            ),
        ),
        (
            {**USED, "WEBHOOK_HEADER": "X-Secret", **HEARD},
            (
                "WAYBILL_BARMATE__WEBHOOK_SECRET is missing; barmate's webhooks are checked by it and "
                "WAYBILL_BARMATE__WEBHOOK_HEADER together."
            ),
        ),
        (
            {**USED, "WEBHOOK_PASSWORD": "s3cret", **HEARD},
            (
                "WAYBILL_BARMATE__WEBHOOK_USER is missing; barmate's webhooks are checked by it and "
                "WAYBILL_BARMATE__WEBHOOK_PASSWORD together."
            ),
        ),
        (
            {**USED, "RESPOND": "true"},
            (
                "WAYBILL_BARMATE__TIME_ZONE is missing; WAYBILL_BARMATE__RESPOND tells customers on which day "
                "goods come."
            ),
        ),
        (
            {**USED, "RESPOND_REJECT": "true", "LINK_BY": "reference"},
            (
                "WAYBILL_BARMATE__RESPOND_REJECT is on, but by WAYBILL_BARMATE__LINK_BY = reference somebody else "
                "answers barmate; switch one of them off."
            ),
        ),
        (
            {**USED, "TIME_ZONE": "Europe/Nowhere"},
            "WAYBILL_BARMATE__TIME_ZONE must be the name of a time zone such as Europe/Zurich.",
        ),
        (
            {**USED, **HEARD},
            (
                "WAYBILL_BARMATE__LISTEN_PORT opens a listener that anybody could call; give "
                "WAYBILL_BARMATE__WEBHOOK_HEADER and WAYBILL_BARMATE__WEBHOOK_SECRET, or "
                "WAYBILL_BARMATE__WEBHOOK_USER and WAYBILL_BARMATE__WEBHOOK_PASSWORD."
            ),
        ),
        (
            {**USED, "LISTEN_HOST": "127.0.0.1"},
            (
                "WAYBILL_BARMATE__LISTEN_PORT is missing; barmate's webhooks are heard at it and "
                "WAYBILL_BARMATE__LISTEN_HOST together."
            ),
        ),
        (
            {**USED, **HEARD, **BASIC, "WEBHOOK_HEADER": "Authorization", "WEBHOOK_SECRET": "s3cret"},
            (
                "WAYBILL_BARMATE__WEBHOOK_HEADER is Authorization, which carries WAYBILL_BARMATE__WEBHOOK_USER "
                "already, and both are checked; name another header."
            ),
        ),
        (
            {**USED, **HEARD, **BASIC, "WEBHOOK_USER": "bar:mate"},
            "WAYBILL_BARMATE__WEBHOOK_USER must be a user name in ASCII without a colon.",
        ),
        (
            {**USED, **BASIC},
            (
                "WAYBILL_BARMATE__WEBHOOK_USER is given without WAYBILL_BARMATE__LISTEN_PORT, so no webhook is heard; "
                "give the port as well, or remove it."
            ),
        ),
    ],
)
def test_settings_of_barmate_that_do_not_fit_are_one_sentence(
    tmp_path: Path, given: dict[str, str], sentence: str
) -> None:
    """None of them silently does nothing, and none opens what is not guarded."""
    with pytest.raises(SettingsError) as caught:
        load(environ=environ(given), directory=tmp_path)

    assert list(caught.value.sentences) == [sentence]


@pytest.mark.parametrize("more", [{}, {**HEADER, **HEARD}, {**BASIC, "LISTEN_PORT": "8480"}, {"LINK_BY": "reference"}])
def test_settings_of_barmate_that_fit_are_taken(tmp_path: Path, more: dict[str, str]) -> None:
    """An address and a token are enough; a listener has a port and credentials."""
    barmate = load(environ=environ({**USED, **more}), directory=tmp_path).barmate

    assert barmate.in_use
    assert barmate.host == "barmate.example"


def test_without_its_settings_barmate_is_not_used(tmp_path: Path) -> None:
    """Nothing is asked of barmate by default."""
    barmate = load(environ={}, directory=tmp_path).barmate

    assert not barmate.in_use
    assert barmate.host is None
