"""What all pages have in common: templates, headers, forms that only our own pages can send, the session's cookie.

Source: OWASP ASVS 4.0.3 V3.4, V4.2.2, V14.4; https://www.w3.org/TR/CSP3/
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, wraps
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from fhir_server.auth import accounts, sessions
from fhir_server.auth.accounts import Account
from fhir_server.auth.authority import Authority
from fhir_server.auth.passwords import BusyError
from fhir_server.auth.places import origin
from fhir_server.auth.sessions import Session
from fhir_server.pages.desk import Desk, desk
from resources.outcome import FhirError

_log = logging.getLogger("fhir_server.pages")
HERE = Path(__file__).parent
FORM_MOST = 64 * 1024
FIELDS_MOST = 600
RECENT = timedelta(minutes=15)
"""How long after signing in one may change how one signs in. Source: OWASP ASVS 4.0.3 V2.8, V3.7.1; the span is ours"""
Handler = Callable[["Visit"], Awaitable[Response]]


class PageError(Exception):
    """What is told on a page of its own."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(title)
        self.status, self.title, self.text = status, title, text


class Visit:
    """One request to a page: who comes, with what session, and what the form says."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.desk: Desk = desk(request)
        self.authority: Authority | None = getattr(request.app.state, "authority", None)
        self.secure = request.url.scheme == "https"
        cookie = sessions.cookie_of(request.cookies)
        if cookie and sessions.is_secure(cookie) != self.secure:
            cookie = ""
        self.planted = not cookie
        self.cookie = cookie or sessions.new_cookie(secure=self.secure)
        self.session: Session | None = None
        self.account: Account | None = None
        self.form: dict[str, str] = {}
        self.many: list[tuple[str, str]] = []
        self.waiting = ""

    def value(self, name: str, most: int = 2000) -> str:
        """Return a field of the form, or of the address where there is no form; empty where it is not there."""
        found = (
            self.form.get(name, "")
            if self.request.method == "POST"
            else self.request.query_params.get(name, "")
        )
        return found[:most].replace("\0", "")

    @property
    def ask(self) -> str:
        """The authorize request that waits for this visit, if one does."""
        found = self.waiting or self.value("request", 200)
        return (
            found if found and found.replace("-", "").replace("_", "").isalnum() and found.isascii() else ""
        )

    async def recognize(self) -> None:
        """Find the session and the account, where there are some."""
        async with self.desk.store.pool.connection() as conn:
            self.session = await sessions.found(conn, "" if self.planted else self.cookie)
            if self.session is not None:
                self.account = await accounts.by_id(conn, self.session.account)

    async def take_form(self) -> None:
        """Read the form; raises PageError where it is not one that our page sent."""
        self.many = await _fields(self.request)
        self.form = dict(self.many)
        token = self.form.get("form_token", "").encode("utf-8", "surrogatepass")
        same = hmac.compare_digest(token, sessions.form_token(self.cookie).encode())
        if self.planted or not same or not _from_here(self.request, self.desk):
            raise PageError(
                403, "This page was open too long", "Please go back, load the page again and try once more."
            )

    @property
    def signed_in_long_ago(self) -> bool:
        """Whether whoever is there now may be somebody else who found the browser open."""
        return self.session is None or datetime.now(UTC) - self.session.signed_in > RECENT

    @property
    def owner(self) -> Account:
        """The account that is signed in; pages that need one have made sure."""
        assert self.account is not None
        return self.account


def page(
    *, signed_in: bool = False, half: bool = False, recent: bool = False
) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """Return what makes a handler an endpoint.

    Shape:  `signed_in` sends others to the sign-in page; `half` lets in those who still owe a second factor, too;
            `recent` also sends those there who signed in long ago
    """

    def made(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        @wraps(handler)
        async def endpoint(request: Request) -> Response:
            visit = Visit(request)
            try:
                await visit.recognize()
                if request.method == "POST":
                    await visit.take_form()
                if (signed_in or half) and (visit.session is None or (visit.session.owes and not half)):
                    answer: Response = to(visit, "/auth/sign-in")
                elif recent and visit.signed_in_long_ago:
                    answer = to(visit, "/auth/sign-in", again="1")
                else:
                    answer = await handler(visit)
            except PageError as error:
                answer = render(visit, "message.html", error.status, title=error.title, text=error.text)
            except BusyError:
                answer = render(
                    visit, "message.html", 503, title="Too busy", text="Please try again in a minute."
                )
            except FhirError as error:
                _log.warning("A page was refused: %s", error)
                answer = render(
                    visit, "message.html", error.status, title="That did not work", text="Please try again."
                )
            return answer

        return endpoint

    return made


def render(
    visit: Visit, template: str, status: int = 200, *, script: bool = False, to_app: str = "", **values: Any
) -> Response:
    """Return a page.

    Shape:  `script` lets our one script run; `to_app` is the address of an app that a form may lead to at its end
    """
    desk_ = visit.desk
    shared: dict[str, Any] = {
        "brand": desk_.settings.brand_name,
        "account": visit.account if visit.session and not visit.session.owes else None,
        "form_token": sessions.form_token(visit.cookie),
        "ask": visit.ask,
        "errors": {},
        "script": script,
    }
    html = _templates().get_template(template).render({**shared, **values})
    answer = HTMLResponse(html, status, headers=_headers(script=script, to_app=to_app))
    if visit.planted:
        keep_cookie(visit, answer, visit.cookie)
    return answer


def to(visit: Visit, path: str, **query: str) -> RedirectResponse:
    """Return the way to another of our pages; the waiting authorize request comes along."""
    asked = {**({"request": visit.ask} if visit.ask else {}), **query}
    text = "&".join(f"{name}={value}" for name, value in asked.items())
    return RedirectResponse(f"{path}?{text}" if text else path, 303, headers={"Cache-Control": "no-store"})


def onward(visit: Visit, cookie: str = "") -> RedirectResponse:
    """Return the way on after signing in: back to the waiting authorize request, else to the account."""
    answer = to(visit, "/auth/continue" if visit.ask else "/auth/account")
    if cookie:
        keep_cookie(visit, answer, cookie)
    return answer


def keep_cookie(visit: Visit, answer: Response, cookie: str) -> None:
    """Let the browser keep a session's value, as closely as it can."""
    name = sessions.SECURE_NAME if visit.secure else sessions.PLAIN_NAME
    answer.set_cookie(name, cookie, path="/", secure=visit.secure, httponly=True, samesite="lax")


def _headers(*, script: bool, to_app: str) -> dict[str, str]:
    target = _form_target(to_app)
    policy = [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self' data:",
        f"form-action 'self'{' ' + target if target else ''}",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        *(["script-src 'self'"] if script else []),
    ]
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "no-store",
    }


def _form_target(url: str) -> str:
    """Return where a form's answer may send the browser in the end, as CSP has it: an origin, or an app's scheme."""
    if not url:
        return ""
    scheme = urlsplit(url).scheme
    return origin(url) or (
        f"{scheme}:" if scheme.replace("+", "").replace("-", "").replace(".", "").isalnum() else ""
    )


async def _fields(request: Request) -> list[tuple[str, str]]:
    mime = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if mime != "application/x-www-form-urlencoded":
        raise PageError(415, "This is no form", "Forms come as application/x-www-form-urlencoded.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_MOST:
            raise PageError(413, "This is too much", "The form is larger than any of ours.")
    try:
        found = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MOST)
    except ValueError:
        raise PageError(400, "This is no form", "What was sent cannot be read.") from None
    if any("\0" in value for _, value in found):
        raise PageError(400, "This is no form", "What was sent cannot be read.")
    return found


def _from_here(request: Request, at: Desk) -> bool:
    """Whether a browser says that our own page sends this; what says nothing is left to the form's token."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    said = request.headers.get("origin", "")
    if said in ("", "null"):
        return not said
    return urlsplit(said).netloc in (request.headers.get("host", ""), urlsplit(at.places.issuer).netloc)


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["json"] = json.dumps
    found.filters["day"] = lambda moment: f"{moment:%d %B %Y}".lstrip("0")
    found.filters["moment"] = lambda moment: f"{moment:%d %B %Y, %H:%M} UTC".lstrip("0")
    return found


def errors_of(error: accounts.AccountError, known: Mapping[str, str]) -> dict[str, str]:
    """Return an error by the field of a form that it belongs to."""
    return {known.get(error.field, error.field) or "form": str(error)}
