"""A browser of few words: it opens a link of the embedded AWS, keeps its cookies, and sends the form that it was shown."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from offline.aws.http_apis import HttpApis
from offline.aws.loopback import Answer, Asked

_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


@dataclass
class Browser:
    """One person's browser, or a program that opens links.

    Attributes
    ----------
    apis : HttpApis
    token : str
        ID token of who has signed in, as the page's script sends it; ``""`` for nobody.
    """

    apis: HttpApis
    token: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)

    def open(self, url: str) -> Answer:
        """Open a link."""
        answer = self._ask(Asked("GET", url, self._headers(), b""))
        self.form = {name: html.unescape(value) for name, value in _HIDDEN.findall(answer.text)}
        return answer

    def send(self, url: str, **filled: str) -> Answer:
        """Send the form of the page that was opened last, to the address of that page."""
        parts = urlsplit(url)
        headers = self._headers() | {
            "content-type": "application/x-www-form-urlencoded;charset=UTF-8",
            "origin": f"{parts.scheme}://{parts.netloc}",
            "sec-fetch-site": "same-origin",
        }
        return self._ask(Asked("POST", url, headers, urlencode(self.form | filled).encode()))

    def _headers(self) -> dict[str, str]:
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return headers | ({"cookie": kept} if kept else {})

    def _ask(self, asked: Asked) -> Answer:
        answer = self.apis(asked)
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                key, _, kept = value.partition(";")[0].partition("=")
                self.cookies[key] = kept
        return answer
