"""One HTML document that needs nothing else: escaped, with its style and script inside, and the headers that hold it to that."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

_HERE = Path(__file__).parent
_ONE_YEAR_S = 31_536_000


class Markup(str):
    """HTML of our own making. Every other text is escaped where it is put into one."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class SignInByScript:
    """The page signs people in with an identity provider by itself, and sends their token along.

    Attributes
    ----------
    issuer : str
        Of OpenID Connect, an https address.
    client : str
        Client id under which the page is known there; the audience of its ID tokens.
    token_origin : str
        Where the provider gives out tokens, if that is not the issuer's own origin.
    """

    issuer: str
    client: str
    token_origin: str = ""


@dataclass(frozen=True, slots=True)
class SignInByPlatform:
    """The platform signs people in before the page, and knows them by a cookie of its own.

    Attributes
    ----------
    path : str
        Where signing in begins; the address to come back to is put behind it.
    """

    path: str


@dataclass(frozen=True, slots=True)
class Site:
    """Where the page is served, and how people sign in there.

    Attributes
    ----------
    address : str
        Scheme, host and base path, without a slash at its end.
    sign_in : SignInByScript or SignInByPlatform
    """

    address: str
    sign_in: SignInByScript | SignInByPlatform

    @property
    def origin(self) -> str:
        """Scheme and host."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def base(self) -> str:
        """Path of the site, ``""`` at the root of its host."""
        return urlsplit(self.address).path


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back to a browser.

    Attributes
    ----------
    status : int
    body : str
        HTML, or ``""``.
    headers : mapping of str to str
        By lower-case name.
    cookie : str
        A Set-Cookie line, ``""`` for none.
    """

    status: int
    body: str
    headers: Mapping[str, str]
    cookie: str = ""


def element(name: str, /, *inside: str, **attributes: str | bool) -> Markup:
    """Return an element. What is inside is escaped unless it is :class:`Markup`; ``class_`` stands for ``class``."""
    written = []
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if value is True:
            written.append(f" {attribute}")
        elif value is not False:
            written.append(f' {attribute}="{escape(str(value))}"')
    return Markup(f"<{name}{''.join(written)}>{joined(inside)}</{name}>")


def void(name: str, /, **attributes: str | bool) -> Markup:
    """Return an element that holds nothing and has no end."""
    return Markup(element(name, **attributes).removesuffix(f"</{name}>"))


def joined(parts: Iterable[str]) -> Markup:
    """Return parts as one piece, those that are not ours as :func:`text`."""
    return Markup("".join(part if isinstance(part, Markup) else text(part) for part in parts))


def text(written: str) -> Markup:
    """Return text, escaped, with what cannot be seen made visible: a name must not turn the order of what stands around it."""
    shown = (each if each.isprintable() or each == "\n" else f"\\u{ord(each):04x}" for each in written)
    return Markup(escape("".join(shown)))


def listed(items: Iterable[str]) -> Markup:
    """Return a list, nothing where there are no items."""
    found = [element("li", item) for item in items]
    return element("ul", *found) if found else Markup()


def page(status: int, site: Site, title: str, main: Iterable[str], *, cookie: str = "", retry: bool = False) -> Reply:
    """Return a whole document.

    Parameters
    ----------
    status : int
    site : Site
    title : str
        Also the first heading.
    main : iterable of str
        What stands below it.
    cookie : str
    retry : bool
        It may be different in some seconds.
    """
    heading = (element("p", "Breakwater", class_="brand"), element("h1", title))
    told: dict[str, str] = {"data_base": site.base}
    script = Markup()
    if isinstance(site.sign_in, SignInByScript):
        told |= {"data_issuer": site.sign_in.issuer, "data_client": site.sign_in.client}
        script = Markup(f"<script>{_text('sign_in.js')}</script>")
    head = (
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="robots" content="noindex, nofollow">'),
        element("title", f"{title} – Breakwater"),
        Markup(f"<style>{_text('style.css')}</style>"),
    )
    body = element("body", element("main", *heading, *main), script, **told)
    document = Markup(f'<!doctype html>\n<html lang="en">{element("head", *head)}{body}</html>\n')
    headers = _headers(site) | ({"retry-after": "5"} if retry else {})
    return Reply(status, document, headers, cookie)


def _headers(site: Site) -> dict[str, str]:
    policy = {"default-src": "'none'", "style-src": _hash("style.css"), "base-uri": "'none'", "frame-ancestors": "'none'"}
    if isinstance(site.sign_in, SignInByScript):
        origins = dict.fromkeys((_origin(site.sign_in.issuer), site.sign_in.token_origin))
        policy |= {"script-src": _hash("sign_in.js"), "form-action": "'none'"}
        policy |= {"connect-src": " ".join(("'self'", *(origin for origin in origins if origin)))}
    else:
        policy |= {"form-action": "'self'"}
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "cache-control": "no-store",
        # Nothing to anybody else; with no-referrer a form of our own would come from the origin "null".
        "referrer-policy": "same-origin",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex, nofollow",
        "cross-origin-resource-policy": "same-origin",
        "strict-transport-security": f"max-age={_ONE_YEAR_S}",
    }


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


@cache
def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _hash(name: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(_text(name).encode()).digest()).decode()}'"
