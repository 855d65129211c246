"""What went wrong with TLS, in words."""

import ssl

import pytest

from connectors import tls


def _behind_others(cause: ssl.SSLError) -> Exception:
    """As it comes: wrapped by those who were asked first."""
    outer = RuntimeError("connect")
    outer.__context__ = OSError("socket")
    outer.__context__.__cause__ = cause
    return outer


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        ("WRONG_VERSION_NUMBER", "the server does not speak TLS at this address"),
        ("UNEXPECTED_EOF_WHILE_READING", "TLS failed: unexpected eof while reading"),
    ],
)
def test_a_handshake_that_failed_is_told_in_words_with_a_remedy(reason: str, what: str) -> None:
    """Neither the library's brackets nor the line of its source."""
    cause = ssl.SSLError(1, f"[SSL: {reason}] whatever (_ssl.c:1006)")
    cause.reason = reason
    told = tls.told(_behind_others(cause))

    assert told is not None
    assert told[0] == what
    assert told[1].startswith("Check ")


def test_a_certificate_that_is_not_trusted_is_told_with_why() -> None:
    """An authority of one's own is the usual reason, so the remedy names the variable."""
    cause = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] (_ssl.c:1006)")
    cause.verify_message = "certificate has expired"
    told = tls.told(_behind_others(cause))

    assert told is not None
    assert told[0] == "the server's certificate is not trusted: certificate has expired"
    assert "SSL_CERT_FILE" in told[1]


def test_what_has_nothing_to_do_with_tls_is_left_to_others() -> None:
    """A refused connection, say."""
    assert tls.told(ConnectionRefusedError(111, "Connection refused")) is None
