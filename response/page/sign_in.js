// Signs a person in with the identity provider (OpenID Connect: authorization code with PKCE, RFC 7636), and sends the answer with
// the token that it gives. The token lies in this tab's session storage until the answer is sent.
"use strict";
(() => {
  const site = document.body.dataset;
  const TOKEN = "breakwater-token", PENDING = "breakwater-sign-in";
  const back = location.origin + site.base + "/signed-in";
  const by = (id) => document.getElementById(id);

  const say = (text) => {
    by("said").textContent = text;
  };
  const encoded = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const random = () => encoded(crypto.getRandomValues(new Uint8Array(32)));

  // Only to read the name, the nonce and the end: whether the token is good, the API decides.
  const claims = (token) => {
    try {
      const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
      return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (each) => each.charCodeAt(0))));
    } catch {
      return {};
    }
  };

  const provider = async () => {
    const answer = await fetch(site.issuer.replace(/\/$/, "") + "/.well-known/openid-configuration", { referrerPolicy: "no-referrer" });
    if (!answer.ok) throw new Error("the identity provider answered " + answer.status);
    return answer.json();
  };

  const signIn = async () => {
    const verifier = random(), pending = { verifier, state: random(), nonce: random(), link: location.pathname + location.search };
    const hashed = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
    const there = new URL((await provider()).authorization_endpoint);
    if (there.protocol !== "https:") throw new Error("the identity provider names no https address");
    sessionStorage.setItem(PENDING, JSON.stringify(pending));
    const asked = {
      response_type: "code", client_id: site.client, redirect_uri: back, scope: "openid profile email",
      state: pending.state, nonce: pending.nonce, code_challenge: encoded(new Uint8Array(hashed)), code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(asked)) there.searchParams.set(name, value);
    location.assign(there);
  };

  const signedIn = async () => {
    const query = new URLSearchParams(location.search), pending = JSON.parse(sessionStorage.getItem(PENDING) || "{}");
    sessionStorage.removeItem(PENDING);
    history.replaceState(null, "", location.pathname);
    if (query.get("error")) throw new Error(query.get("error_description") || query.get("error"));
    if (!pending.state || query.get("state") !== pending.state) throw new Error("this sign-in was not begun in this tab: open the link again");
    const body = new URLSearchParams({
      grant_type: "authorization_code", code: query.get("code") || "", redirect_uri: back, client_id: site.client, code_verifier: pending.verifier,
    });
    const answer = await fetch((await provider()).token_endpoint, { method: "POST", body, referrerPolicy: "no-referrer" });
    const token = answer.ok ? (await answer.json()).id_token : "";
    if (!token || claims(token).nonce !== pending.nonce) throw new Error("the identity provider gave no token for this sign-in");
    sessionStorage.setItem(TOKEN, token);
    location.replace(pending.link);
  };

  const answer = async (event) => {
    event.preventDefault();
    const form = event.target, body = new URLSearchParams(new FormData(form));
    if (event.submitter) body.set("answer", event.submitter.value);
    const buttons = form.querySelectorAll("button");
    for (const each of buttons) each.disabled = true;
    try {
      const headers = { Authorization: "Bearer " + sessionStorage.getItem(TOKEN) };
      const reply = await fetch(location.pathname + location.search, { method: "POST", headers, body, redirect: "error" });
      if (reply.status === 401 || reply.status === 403 && !(reply.headers.get("content-type") || "").startsWith("text/html")) {
        sessionStorage.removeItem(TOKEN);
        shown();
        throw new Error("Your sign-in is not taken any more: sign in again.");
      }
      if (!(reply.headers.get("content-type") || "").startsWith("text/html")) throw new Error("The page answered " + reply.status + ": nothing is known to be sent.");
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      document.title = page.title;
      document.querySelector("main").replaceWith(page.querySelector("main"));
      scrollTo(0, 0);
      shown();
    } catch (error) {
      say(error.message);
      for (const each of buttons) each.disabled = false;
    }
  };

  const shown = () => {
    const form = by("answer"), told = claims(sessionStorage.getItem(TOKEN) || ""), here = (told.exp || 0) * 1000 > Date.now();
    if (!form) return;
    form.hidden = !here;
    by("sign-in").hidden = here;
    by("who").textContent = told.preferred_username || told.email || told.sub || "";
    form.onsubmit = answer;
    by("start").onclick = () => signIn().catch((error) => say("Signing in failed: " + error.message));
  };

  if (location.pathname === site.base + "/signed-in") signedIn().catch((error) => say("Signing in failed: " + error.message));
  else shown();
})();
