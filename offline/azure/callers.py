"""Who calls a local service: what its bearer token says, checked as the real services check it (all but the signature)."""

from __future__ import annotations

from dataclasses import dataclass

from offline.azure.credential import read_token


class BadToken(ValueError):
    """A request carries no token that a service can accept; ``code`` is Resource Manager's word for the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Caller:
    """The identity behind a request; all fields are empty where it is not known."""

    client_id: str = ""
    object_id: str = ""


def read_caller(authorization: str, audiences: tuple[str, ...], now_s: float) -> Caller:
    """Who an Authorization header names.

    Parameters
    ----------
    audiences
        The services that the token may have been issued for; a trailing slash makes no difference.
    now_s
        Seconds since 1970.

    Raises
    ------
    BadToken
        Where there is no token, or it is for another service, or it has expired.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise BadToken("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    try:
        claims = read_token(token)
        audience, expires = str(claims["aud"]), float(claims["exp"])
        caller = Caller(str(claims["appid"]).lower(), str(claims["oid"]).lower())
    except (KeyError, TypeError, ValueError) as error:
        raise BadToken("InvalidAuthenticationToken", f"The access token is invalid: {error!r}.") from error
    if audience.rstrip("/").lower() not in [one.rstrip("/").lower() for one in audiences]:
        raise BadToken(
            "InvalidAuthenticationTokenAudience",
            f"The access token has been obtained for wrong audience or resource '{audience}'. "
            f"It should exactly match with one of the allowed audiences '{', '.join(audiences)}'.",
        )
    if expires <= now_s:
        raise BadToken("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time.")
    return caller
