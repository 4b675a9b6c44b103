"""What ties an answer to a page that this very browser was shown.

A random value lies in a cookie that only this site gets back. The form carries the hash of it, of the link's signature and of a
fresh request id: another site's form has none of these, and a form of another link, or of another browser, does not fit.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from response.people import SignIn

#: The prefix holds browsers to what it says: over TLS, for this host alone.
COOKIE = "__Host-breakwater"
_RANDOM = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Visit:
    """What came from a browser, as the platform passed it on.

    Attributes
    ----------
    proposal_id : str
        From the path.
    query, form : mapping of str to str
        Of a name that stands there twice, the last.
    headers : mapping of str to str
        By lower-case name.
    cookies : str
        The Cookie header.
    sign_in : SignIn or None
        Who the platform says has signed in; never from what the browser itself says.
    """

    proposal_id: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    cookies: str = ""
    form: Mapping[str, str] | None = None
    sign_in: SignIn | None = None

    @property
    def browser(self) -> str:
        """The random value of the cookie, ``""`` where there is none of ours."""
        try:
            jar = SimpleCookie(self.cookies)
        except CookieError:
            return ""
        value = jar[COOKIE].value if COOKIE in jar else ""
        return value if _RANDOM.fullmatch(value) else ""


@dataclass(frozen=True, slots=True)
class Form:
    """The form that one browser is shown, once.

    Attributes
    ----------
    action : str
        Path and query of the link.
    token, request : str
        What ties its answer to this browser, and what makes it one answer however often it is sent.
    who : str
        Who has signed in, where the platform says so; ``""`` for nobody yet.
    """

    action: str
    token: str
    request: str
    who: str

    @property
    def hidden(self) -> tuple[tuple[str, str], ...]:
        """What it carries unseen."""
        return ("token", self.token), ("request", self.request)


def cookie(browser: str) -> str:
    """Return the Set-Cookie line. Lax, since a link in a mail comes from another site; no form of another site sends it."""
    return f"{COOKIE}={browser}; Path=/; Secure; HttpOnly; SameSite=Lax"


def form_token(browser: str, signature: str, request: str) -> str:
    """Return what a form carries (64 hex digits)."""
    return hashlib.sha256("\n".join(("breakwater form 1", browser, signature, request)).encode()).hexdigest()


def foreign(visit: Visit, origin: str) -> str:
    """Return why an answer does not come from a page of ours in this browser, ``""`` when it does."""
    form = visit.form or {}
    if visit.headers.get("origin") != origin or visit.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return "it was sent from another site"
    request, browser = form.get("request", ""), visit.browser
    if not (browser and _RANDOM.fullmatch(request)):
        return "it does not belong to a page that this browser was shown"
    expected = form_token(browser, visit.query.get("signature", ""), request)
    if not hmac.compare_digest(expected.encode(), form.get("token", "").encode()):
        return "it does not belong to the page that this browser was shown"
    return ""
