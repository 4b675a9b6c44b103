"""The page behind a link on the embedded Azure: the settings that name it, and a browser of few words that opens it.

App Service stands before the page on Azure, and tells it who has signed in; here the claims are handed to the host beside the
request. The key lies in the local vault.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

from offline.azure.credential import TENANT_ID
from offline.azure.embedded import EmbeddedAzure
from offline.azure.functions_host.http_calls import HttpAnswer
from offline.azure.vault import KEY

ORIGIN = "https://breakwater-page-x.azurewebsites.net"
#: An operator, and what Entra says of whom it has let in.
ADA = "33333333-0000-4000-8000-000000000001"
SIGNED_IN: Mapping[str, str] = {"oid": ADA, "tid": TENANT_ID, "preferred_username": "ada@example.com"}
#: What the templates give the app where a page is asked for.
SETTINGS: Mapping[str, str] = {
    "BREAKWATER_PAGE_URL": f"{ORIGIN}/api",
    "BREAKWATER_LINK_KEY": KEY,
    "BREAKWATER_PAGE_OPERATOR_IDS": ADA,
}
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


@dataclass
class Browser:
    """One person's browser, or a program that opens links.

    Attributes
    ----------
    azure : EmbeddedAzure
    claims : mapping of str to str
        Of who has signed in; empty for nobody.
    """

    azure: EmbeddedAzure
    claims: Mapping[str, str] = field(default_factory=dict)
    cookie: str = ""
    form: dict[str, str] = field(default_factory=dict)

    def open(self, link: str) -> HttpAnswer:
        """Open a link."""
        answer = self._ask("show_proposal", "GET", link, b"")
        self.cookie = answer.headers.get("set-cookie", "").partition(";")[0] or self.cookie
        self.form = {name: html.unescape(value) for name, value in _HIDDEN.findall(answer.body.decode())}
        return answer

    def send(self, link: str, **filled: str) -> HttpAnswer:
        """Send the form of the page that was opened last, to the address of that page."""
        return self._ask("answer_proposal", "POST", link, urlencode(self.form | filled).encode())

    def _ask(self, function: str, method: str, link: str, body: bytes) -> HttpAnswer:
        parts = urlsplit(link)
        return self.azure.host.request(
            function,
            method=method,
            body=body,
            headers={"origin": ORIGIN, "sec-fetch-site": "same-origin"} | ({"cookie": self.cookie} if self.cookie else {}),
            query=dict(parse_qsl(parts.query)),
            route_params={"proposal": parts.path.rpartition("/")[2]},
            claims=self.claims,
        )


def link_to(proposal_id: str, comments: Iterable[str]) -> str:
    """Return the link to a proposal, as it stands in the newest of an incident's comments that has one. Raises LookupError."""
    found = [link for text in comments for link in re.findall(rf"https://\S+/proposals/{proposal_id}\?[^\s<]+", text)]
    if not found:
        raise LookupError(f"no comment has a link to proposal {proposal_id}")
    return html.unescape(found[-1])
