"""The people's pages in a browser: they work, fit a phone, and can be read. Source: WCAG 2.2 (1.4.3, 1.4.10, 2.5.8)"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import psycopg
import pyotp
import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Browser, Page, expect
from psycopg.types.json import Jsonb

from tests.browser.conftest import Site

PASSWORD = "correct horse battery staple"
SEEN = os.environ.get("HEALTHBUDDY_SCREENSHOTS", "")
"""Folder to keep screenshots in, for eyes."""


def person(site: Site, email: str, role: str = "patient", user: str = "") -> None:
    with psycopg.connect(site.database_url) as conn:
        conn.execute(
            "INSERT INTO account (id, name, email, email_key, email_verified, fhir_user, roles, state, password)"
            " VALUES (%s, 'Ana Rivera', %s, %s, now(), %s, %s, 'active', %s)",
            (email.partition("@")[0], email, email, user, [role], PasswordHasher().hash(PASSWORD)),
        )


def sign_in(page: Page, site: Site, email: str) -> None:
    if "sign-in" not in page.url:
        page.goto(f"{site.base}/auth/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def keep(page: Page, name: str) -> None:
    """Keep pictures in light, dark and at a phone's width, where somebody wants them; and check what holds for all."""
    problems = page.evaluate(_CHECKS)
    assert problems == [], f"{name}: {problems}"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        low = page.evaluate(_CONTRAST)
        assert low == [], f"{name} ({scheme}): {low}"
        if SEEN:
            page.screenshot(path=str(Path(SEEN) / f"{name}-{scheme}.png"), full_page=True)
    size = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, f"{name} scrolls sideways on a phone"
    if SEEN:
        page.screenshot(path=str(Path(SEEN) / f"{name}-phone.png"), full_page=True)
    assert size is not None
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="light")


_CHECKS = """() => {
  const found = [], all = (q) => [...document.querySelectorAll(q)];
  if (!document.documentElement.lang) found.push("no language");
  if (all("h1").length !== 1) found.push(`${all("h1").length} h1`);
  let last = 0;
  for (const h of all("h1,h2,h3")) { const n = +h.tagName[1]; if (n > last + 1) found.push("heading skipped");
    last = n; }
  for (const i of all("input:not([type=hidden])")) if (!i.labels.length) found.push(`no label: ${i.name}`);
  for (const b of all("button,a"))
    if (!(b.getAttribute("aria-label") || b.textContent.trim())) found.push("no name");
  for (const i of all("img")) if (!i.alt) found.push("no alt");
  for (const i of all("[aria-describedby]")) for (const id of i.getAttribute("aria-describedby").trim().split(/ +/))
      if (!document.getElementById(id)) found.push(`describes nothing: ${id}`);
  const ids = all("[id]").map((e) => e.id); if (new Set(ids).size !== ids.length) found.push("an id twice");
  for (const e of all("button,input:not([type=hidden]),summary,.button")) { const r = e.getBoundingClientRect();
    if (r.width && (r.height < 20 || r.width < 20)) found.push(`small target: ${e.tagName} ${r.width}x${r.height}`); }
  return found;
}"""
_CONTRAST = """() => {
  const rgb = (t) => (t.match(/[\\d.]+/g) || []).map(Number);
  const lum = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length) continue;
    if (e.closest(".skip") || e.closest("noscript")) continue;
    const a = lum(rgb(getComputedStyle(e).color)), b = lum(back(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${e.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""


def test_signing_in_with_the_keyboard_alone(page: Page, site: Site) -> None:
    person(site, "keys@example.org")
    page.goto(f"{site.base}/auth/sign-in")
    keep(page, "sign-in")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type("keys@example.org")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.base}/auth/account")
    keep(page, "account")


def test_a_wrong_password_is_told_aloud(page: Page, site: Site) -> None:
    person(site, "aloud@example.org")
    page.goto(f"{site.base}/auth/sign-in")
    page.get_by_label("E-mail address").fill("aloud@example.org")
    page.get_by_label("Password").fill("not my password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    assert page.title().startswith("Problem: ")
    keep(page, "sign-in-wrong")


@pytest.mark.parametrize("path", ["sign-up", "reset", "sign-in/passkey", "verify?ticket=x"])
def test_pages_before_signing_in(page: Page, site: Site, path: str) -> None:
    page.goto(f"{site.base}/auth/{path}")
    keep(page, re.sub(r"\W+", "-", path))


def test_a_field_that_is_wrong_says_so_at_the_field(page: Page, site: Site) -> None:
    page.goto(f"{site.base}/auth/sign-up")
    page.get_by_label("Your name").fill("Bo Chen")
    page.get_by_label("E-mail address").fill("bo@example.org")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button").click()
    field = page.get_by_label("Password")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("at least 12 characters"))
    keep(page, "sign-up-wrong")


def test_a_passkey_is_made_and_signs_in(page: Page, site: Site) -> None:
    person(site, "passkey@example.org", "clinician", "Practitioner/1")
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    tools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    sign_in(page, site, "passkey@example.org")
    keep(page, "add-factor")
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("heading", name="Keep these recovery codes")).to_be_visible()
    keep(page, "codes")
    page.get_by_role("link", name="I have kept them").click()
    keep(page, "account-with-passkey")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.get_by_role("link", name="Sign in with a passkey").click()
    page.get_by_role("button", name="Use my passkey").click()
    expect(page).to_have_url(f"{site.base}/auth/account")
    page.get_by_role("button", name="Sign out", exact=True).click()
    sign_in(page, site, "passkey@example.org")
    keep(page, "challenge-passkey")
    page.get_by_role("button", name="Use my passkey").click()
    expect(page).to_have_url(f"{site.base}/auth/account")


def test_an_authenticator_app_is_added_and_asked_for(page: Page, site: Site) -> None:
    person(site, "otp@example.org", "clinician", "Practitioner/2")
    sign_in(page, site, "otp@example.org")
    secret = page.locator("code").inner_text().replace(" ", "")
    page.get_by_label("Six-digit code").fill(pyotp.TOTP(secret).at(int(time.time()) - 30))
    page.get_by_role("button", name="Confirm the app").click()
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    sign_in(page, site, "otp@example.org")
    keep(page, "challenge")
    page.get_by_role("button", name="Send a code by e-mail").click()
    expect(page.get_by_role("status")).to_contain_text("on its way")
    keep(page, "challenge-mail")
    page.get_by_label("Six-digit code").fill(pyotp.TOTP(secret).now())
    page.get_by_label("Six-digit code").press("Enter")
    expect(page).to_have_url(f"{site.base}/auth/account")


def app_asks(site: Site, scope: str) -> str:
    """Return where an app sends the browser."""
    with psycopg.connect(site.database_url) as conn:
        conn.execute(
            "INSERT INTO auth_client (id, name, kind, state, redirect_uris, origins, grants, scopes, metadata, origin)"
            " VALUES ('garden', 'Heart Garden', 'public', 'active', %s, '{}', '{authorization_code,refresh_token}',"
            " %s, %s, 'test') ON CONFLICT DO NOTHING",
            (
                [f"{site.base}/health/live"],
                ["openid", "fhirUser", "launch/patient", "offline_access", "patient/*.cruds"],
                Jsonb({"policy_uri": "https://garden.example/privacy"}),
            ),
        )
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 64).digest()).decode().rstrip("=")
    query: dict[str, Any] = {
        "response_type": "code",
        "client_id": "garden",
        "redirect_uri": f"{site.base}/health/live",
        "scope": scope,
        "state": "a-state-of-the-app",
        "aud": f"{site.base}/fhir",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{site.base}/auth/authorize?{urlencode(query)}"


SCOPES = (
    "openid fhirUser launch/patient offline_access patient/*.rs patient/Observation.cruds"
    " patient/Condition.rs?category=http://terminology.hl7.org/CodeSystem/condition-category|problem-list-item"
)


def test_a_clinician_picks_a_patient_and_allows_an_app(page: Page, site: Site, patients: None) -> None:
    person(site, "picks@example.org", "caregiver", "Practitioner/3")
    with psycopg.connect(site.database_url) as conn:
        conn.execute("UPDATE account SET roles = '{clinician}' WHERE id = 'picks'")
    site.app.state.desk.settings = site.app.fhir.settings.model_copy(update={"mfa_roles": ()})
    page.goto(app_asks(site, SCOPES))
    keep(page, "sign-in-for-app")
    sign_in(page, site, "picks@example.org")
    keep(page, "picker")
    page.get_by_label("Name").fill("river")
    page.get_by_role("button", name="Search").click()
    keep(page, "picker-found")
    page.get_by_role("link", name="Choose Ana Rivera").click()
    keep(page, "consent")
    page.get_by_text("Choose only some kinds of data").click()
    keep(page, "consent-kinds")
    page.get_by_label("Keep access when you are away").uncheck()
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page).to_have_url(re.compile(r"/health/live\?code=.+&state=a-state-of-the-app&iss="))
    code = parse_qs(urlsplit(page.url).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": f"{site.base}/health/live"}
    form |= {"client_id": "garden", "code_verifier": "v" * 64}
    assert httpx.post(f"{site.base}/auth/token", data=form).status_code == 200
    page.goto(f"{site.base}/auth/account/apps")
    expect(page.get_by_role("heading", name="Heart Garden")).to_be_visible()
    keep(page, "apps")


@pytest.fixture(scope="module")
def patients(site: Site) -> None:
    """Two patients of the same name."""
    server = site.app.fhir
    server.settings, kept = server.settings.model_copy(update={"authorization": "open"}), server.settings
    server.authenticate, asked = None, server.authenticate

    for id_, born in (("ana", "1984-02-29"), ("ana2", "1951-07-01")):
        body = {
            "resourceType": "Patient",
            "id": id_,
            "name": [{"family": "Rivera", "given": ["Ana", "Maria"][: 1 if id_ == "ana" else 2]}],
            "birthDate": born,
            "gender": "female",
            "identifier": [{"value": f"MRN-{id_}"}],
        }
        assert httpx.put(f"{site.base}/fhir/Patient/{id_}", json=body).is_success
    server.settings, server.authenticate = kept, asked


def test_without_scripts_all_but_passkeys_works(chromium: Browser, site: Site) -> None:
    person(site, "noscript@example.org")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, site, "noscript@example.org")
    expect(page).to_have_url(f"{site.base}/auth/account")
    context.close()
