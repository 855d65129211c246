"""Who may call the listener: whoever shows everything that is configured, exactly once."""

import base64

import pytest

from tests.listener_kit import HEADER, LOGIN, basic
from worker.web import BasicLogin, Credentials
from worker.web.credentials import Headers

SECRET = (b"x-waybill-secret", HEADER.secret.encode())
LOGGED_IN = (b"authorization", basic().encode())


def hold(headers: Headers, *, header: bool = True, login: bool = True) -> bool:
    """Whether these headers are let in where these credentials are configured."""
    return Credentials(header=HEADER if header else None, login=LOGIN if login else None).hold(headers)


def test_each_kind_of_credentials_lets_in_where_it_is_configured_alone() -> None:
    """A header of the operator's choice, or basic credentials."""
    assert hold([SECRET], login=False)
    assert hold([LOGGED_IN], header=False)
    assert hold([(b"authorization", LOGGED_IN[1].replace(b"Basic", b"bASIC"))], header=False)


def test_where_both_are_configured_both_are_asked_for() -> None:
    """One that leaked opens nothing."""
    assert hold([SECRET, LOGGED_IN])
    assert not hold([SECRET])
    assert not hold([LOGGED_IN])


def test_without_anything_configured_nobody_is_let_in() -> None:
    """The settings refuse such a listener; if that ever failed, it would still be shut."""
    assert not hold([SECRET, LOGGED_IN], header=False, login=False)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(SECRET[0], b"")],
        [(SECRET[0], SECRET[1] + b"x")],
        [(SECRET[0], SECRET[1][:-1])],
        [(SECRET[0], SECRET[1].upper())],
        [(b"x-secret", SECRET[1])],
        [SECRET, SECRET],
        [SECRET, (SECRET[0], b"other")],
        [(SECRET[0], "sécret".encode("latin-1"))],
    ],
)
def test_any_other_header_is_refused(headers: Headers) -> None:
    """Also one given twice: which of them counts nobody can say."""
    assert not hold(headers, login=False)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Basic",
        b"Basic !!!",
        b"Bearer " + LOGGED_IN[1].removeprefix(b"Basic "),
        LOGGED_IN[1].removeprefix(b"Basic "),
        basic(BasicLogin(user=LOGIN.user, password="")).encode(),
        basic(BasicLogin(user="", password=LOGIN.password)).encode(),
        b"Basic " + base64.b64encode(LOGIN.user.encode()),
        b"Basic " + base64.b64encode(LOGIN.password.encode()),
        b"Basic \xe4\xf6",
    ],
)
def test_any_other_login_is_refused(value: bytes) -> None:
    """Whatever part of it is wrong."""
    assert not hold([(b"authorization", value)], header=False)


def test_no_secret_shows_in_its_text() -> None:
    """What is logged by mistake tells nothing."""
    text = repr(Credentials(header=HEADER, login=LOGIN))

    assert HEADER.secret not in text
    assert LOGIN.password not in text
