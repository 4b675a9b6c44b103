// Runs the page's script in a small stand-in for a browser, and prints what it did. One scene a run: node sign_in_driver.mjs SCENE.
import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";
import vm from "node:vm";

const [scene] = process.argv.slice(2);
const script = readFileSync(new URL("../../response/page/sign_in.js", import.meta.url), "utf8");
const told = { assigned: "", replaced: "", asked: [], said: "", kept: {} };
const kept = new Map();
const claims = (values) => `h.${Buffer.from(JSON.stringify(values)).toString("base64url")}.s`;
const element = () => ({ hidden: false, textContent: "", disabled: false, querySelectorAll: () => [] });
const elements = Object.fromEntries(["said", "answer", "sign-in", "who", "start"].map((id) => [id, element()]));
const page = scene.startsWith("back")
  ? { pathname: "/signed-in", search: scene === "back-with-another-state" ? "?code=c&state=forged" : "?code=c&state=the-state" }
  : { pathname: "/proposals/1", search: "?plan=2&until=3&signature=4" };
const issuer = "https://login.example.com/tenant";
const endpoints = {
  authorization_endpoint: scene === "sign-in-over-http" ? "http://login.example.com/a" : `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
};
if (scene.startsWith("back")) kept.set("breakwater-sign-in", JSON.stringify({ verifier: "v", state: "the-state", nonce: "n", link: "/proposals/1?plan=2" }));
if (scene.startsWith("answer")) kept.set("breakwater-token", claims({ exp: 9e9, email: "ada@example.com" }));
if (scene === "expired") kept.set("breakwater-token", claims({ exp: 1 }));

const json = (body, status = 200) => ({ ok: status < 300, status, json: async () => body, headers: new Map([["content-type", "application/json"]]) });
const context = {
  URL, URLSearchParams, TextEncoder, TextDecoder, Uint8Array, String, JSON, Object, Error, Date, crypto: webcrypto,
  btoa, atob,
  document: { body: { dataset: { base: "", issuer, client: "page" } }, getElementById: (id) => elements[id] },
  location: {
    origin: "https://approve.example.com", ...page,
    assign: (to) => { told.assigned = String(to); },
    replace: (to) => { told.replaced = String(to); },
  },
  history: { replaceState: () => {} },
  sessionStorage: {
    getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key),
  },
  FormData: class { constructor() { return [["token", "t"], ["reason", "why"]]; } },
  scrollTo: () => {},
  fetch: async (url, options = {}) => {
    told.asked.push({ url: String(url), method: options.method ?? "GET", authorization: options.headers?.Authorization ?? "", body: String(options.body ?? "") });
    if (String(url).endsWith("/openid-configuration")) return json(endpoints);
    if (String(url).endsWith("/token")) return json({ id_token: claims({ nonce: scene === "back-with-another-nonce" ? "other" : "n" }) });
    return json({ message: "Unauthorized" }, 401);
  },
};
vm.runInNewContext(script, context);
if (scene.startsWith("sign-in")) elements.start.onclick();
if (scene.startsWith("answer")) await elements.answer.onsubmit({ preventDefault: () => {}, target: elements.answer, submitter: { value: "approve" } });
await new Promise((resolve) => setTimeout(resolve, 50));
console.log(JSON.stringify({
  ...told, said: elements.said.textContent, form: !elements.answer.hidden, who: elements.who.textContent, kept: Object.fromEntries(kept),
}));
