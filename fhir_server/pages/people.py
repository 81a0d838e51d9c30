"""The people's pages: where each is, and the files that they are made of."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator
from functools import cache
from typing import TYPE_CHECKING

import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fhir_server.auth import backoff, outbox, sessions, tickets
from fhir_server.pages import account, consent, factors, federated, joining, proxies, signing
from fhir_server.pages.desk import Desk
from fhir_server.pages.frame import HERE

if TYPE_CHECKING:
    from fhir_server.app import App

_log = logging.getLogger("fhir_server.pages")
_MIMES = {"style.css": "text/css", "passkey.js": "text/javascript"}
STYLE = {
    "color_background": "#f4f6fa",
    "color_error": "#a4161a",
    "color_highlight": "#0b57b5",
    "color_modal_backdrop": "",
    "color_success": "#14603a",
    "color_text": "#14213d",
    "dim_border_radius": "9px",
    "dim_font_size": "16px",
    "dim_spacing_size": "16px",
    "font_family_body": "system-ui, -apple-system, 'Segoe UI', sans-serif",
    "font_family_heading": "system-ui, -apple-system, 'Segoe UI', sans-serif",
}
"""What apps may look like here. Source: SMART App Launch 2.2, smart_style_url"""


@cache
def _file(name: str) -> tuple[bytes, str]:
    content = (HERE / "static" / name).read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:16]}"'


async def static(request: Request) -> Response:
    """Return one of the two files that pages are made of."""
    name = request.url.path.rpartition("/")[2]
    content, tag = _file(name)
    headers = {"ETag": tag, "Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_MIMES[name])


async def style(_request: Request) -> Response:
    """Return how apps may look here; from any origin."""
    return JSONResponse(
        STYLE, headers={"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=3600"}
    )


_BOTH = ["GET", "POST"]
ROUTES: list[Route] = [
    Route("/auth/sign-in", signing.sign_in, methods=_BOTH),
    Route("/auth/sign-in/passkey", signing.with_passkey, methods=_BOTH),
    Route("/auth/federated/{name}", federated.out, methods=["GET"]),
    Route("/auth/federated/{name}/callback", federated.back, methods=["GET"]),
    Route("/auth/sign-out", signing.sign_out, methods=["POST"]),
    Route("/auth/sign-up", joining.sign_up, methods=_BOTH),
    Route("/auth/verify", joining.verify, methods=_BOTH),
    Route("/auth/invitation", joining.invitation, methods=_BOTH),
    Route("/auth/reset", joining.lost, methods=_BOTH),
    Route("/auth/reset/new", joining.new_password, methods=_BOTH),
    Route("/auth/mfa", factors.challenge, methods=_BOTH),
    Route("/auth/mfa/code", factors.send_code, methods=_BOTH),
    Route("/auth/mfa/add", factors.add, methods=["GET"]),
    Route("/auth/mfa/add/app", factors.add_app, methods=_BOTH),
    Route("/auth/mfa/add/passkey", factors.add_passkey, methods=_BOTH),
    Route("/auth/consent", consent.consent, methods=_BOTH),
    Route("/auth/patient", consent.picker, methods=["GET"]),
    Route("/auth/account", account.account, methods=["GET"]),
    Route("/auth/account/password", account.password, methods=_BOTH),
    Route("/auth/account/phone", account.phone, methods=_BOTH),
    Route("/auth/account/session", account.end_session, methods=_BOTH),
    Route("/auth/account/factor", factors.remove, methods=_BOTH),
    Route("/auth/account/codes", factors.new_codes, methods=_BOTH),
    Route("/auth/account/proxies", proxies.proxies, methods=_BOTH),
    Route("/auth/account/apps", account.apps, methods=_BOTH),
    Route("/auth/style.css", static, methods=["GET"]),
    Route("/auth/passkey.js", static, methods=["GET"]),
    Route("/auth/style.json", style, methods=["GET"]),
]


@contextlib.asynccontextmanager
async def at_work(desk: Desk) -> AsyncIterator[None]:
    """Send messages and remove what is over, meanwhile."""
    tasks = [
        asyncio.create_task(outbox.delivering(desk.store, outbox.carriers(desk.settings))),
        asyncio.create_task(_sweeping(desk)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _sweeping(desk: Desk, every: float = 900.0) -> None:
    while True:
        await asyncio.sleep(every)
        try:
            async with desk.store.pool.connection() as conn:
                for sweep in (sessions.swept, tickets.swept, backoff.swept, outbox.swept):
                    await sweep(conn)
        except psycopg.Error:
            _log.exception("What is over cannot be removed")


def mounted(app: App) -> Desk:
    """Return the desk of an app whose people's pages are in place."""
    desk = app.state.desk = Desk(app.fhir.settings, app.fhir)
    app.router.routes.extend(ROUTES)
    return desk
