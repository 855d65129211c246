"""What went wrong where TLS was agreed on, in words for people, with the remedy."""

import ssl

_OWN_AUTHORITY = (
    "Check the address; where a proxy or an authority of your own signs, name its certificate in SSL_CERT_FILE."
)
# Reasons that OpenSSL gives where the other side answers in plain text.
_PLAIN = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "PACKET_LENGTH_TOO_LONG"})


def told(error: BaseException) -> tuple[str, str] | None:
    """What happened and what to do about it, where an error goes back to TLS; else nothing."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ if cause.__cause__ is not None else cause.__context__
    if cause is None:
        return None
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = str(cause.verify_message).rstrip(". ")
        return f"the server's certificate is not trusted: {why}", _OWN_AUTHORITY
    if cause.reason in _PLAIN:
        what = "the server does not speak TLS at this address"
        return what, "Check its port, and whether it should begin with http:// instead of https://."
    reason = str(cause.reason).replace("_", " ").lower()
    return f"TLS failed: {reason}", "Check the address, and whether a proxy stands in between."
