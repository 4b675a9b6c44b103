"""Posting JSON to an address from outside, over TLS: only to that address, and without ever telling it."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO

from response.webhooks import NotDelivered

#: A notice is a convenience: whoever responds does not wait longer for it.
_TIMEOUT_S = 3


def post_json(address: str, body: bytes) -> None:
    """Send a body as JSON, over TLS, to this address and no other. Raises NotDelivered."""
    request = urllib.request.Request(address, data=body, method="POST", headers={"Content-Type": "application/json"})  # noqa: S310 - https, as checked
    try:
        with urllib.request.build_opener(_NowhereElse()).open(request, timeout=_TIMEOUT_S) as response:
            response.read(1024)
    except urllib.error.HTTPError as error:
        raise NotDelivered(f"the webhook answered {error.code}") from None  # the error knows the address
    except (OSError, HTTPException, ValueError) as error:
        raise NotDelivered(f"the webhook did not answer ({type(error).__name__})") from None


class _NowhereElse(urllib.request.HTTPRedirectHandler):
    """What is told to one address is not carried to another."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None
