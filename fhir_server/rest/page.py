"""The page that a person sees at `/`, and what is said where there is nothing."""

from __future__ import annotations

from html import escape

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from fhir_server.rest.call import base_url
from fhir_server.rest.negotiate import PLAIN
from fhir_server.rest.represent import outcome
from resources.outcome import Issue

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Health Buddy</title>
<style>
:root {{ color-scheme: light dark; --ink: #14213d; --soft: #51607a; --line: #d8dfea; --back: #f6f8fb; --card: #fff;
  --link: #0b57b5; --bad: #b3261e; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e8edf5; --soft: #a5b1c5; --line: #2c384d; --back: #10161f;
  --card: #18212e; --link: #8ab8ff; --bad: #ffb4ab; }} }}
body {{ margin: 0; background: var(--back); color: var(--ink); font: 1rem/1.6 system-ui, sans-serif; }}
main {{ max-width: 46rem; margin: 0 auto; padding: 3rem 1.25rem; }}
h1 {{ font-size: 2rem; margin: 0 0 .25rem; }}
h2 {{ font-size: 1.1rem; margin: 2rem 0 .5rem; }}
p {{ margin: .25rem 0 1rem; color: var(--soft); }}
a {{ color: var(--link); }}
ul {{ list-style: none; padding: 0; margin: 0; display: grid; gap: .5rem; }}
li {{ background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .9rem; }}
li span {{ color: var(--soft); }}
.open {{ border: 2px solid var(--bad); border-radius: .5rem; padding: .6rem .9rem; color: var(--bad);
  font-weight: 600; }}
pre {{ background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .9rem; margin: 0 0 .6rem;
  font-size: .85rem; white-space: pre-wrap; overflow-wrap: anywhere; }}
</style>
</head>
<body><main>
<h1>Health Buddy</h1>
<p>A health record that speaks HL7 FHIR R4 (4.0.1). Any FHIR client can read, write, search and load it.</p>
{notice}
<h2>Where things are</h2>
<ul>
<li><a href="/fhir/metadata">/fhir/metadata</a> <span>what this server can do, as a CapabilityStatement</span></li>
<li><a href="/fhir/Patient?_count=10&amp;_pretty=true&amp;_format=json">/fhir/Patient</a>
  <span>the first patients</span></li>
<li><a href="/fhir/.well-known/smart-configuration">/fhir/.well-known/smart-configuration</a>
  <span>how apps get access</span></li>
<li><a href="/openapi.json">/openapi.json</a> <span>what lies beside FHIR, as OpenAPI</span></li>
<li><a href="/health/ready">/health/ready</a> <span>is it ready to serve</span></li>
<li><a href="/metrics">/metrics</a> <span>figures for Prometheus</span></li>
</ul>
<h2>Try it</h2>
<pre tabindex="0">curl {token}'{base}/Patient?_count=3&amp;_pretty=true'</pre>
<pre tabindex="0">curl {token}-H 'Content-Type: application/fhir+json' \\
  -d '{{"resourceType":"Patient","name":[{{"family":"Example"}}]}}' '{base}/Patient'</pre>
<pre tabindex="0">curl {token}'{base}/Observation?code=http://loinc.org|8867-4&amp;_sort=-date&amp;_count=5&amp;_pretty=true'</pre>
</main></body>
</html>
"""


_OPEN = (
    '<p class="open" role="alert">This server is open: whoever reaches it reads and writes everything. '
    "For trying things out on one machine only, never for real people's data.</p>"
)
_CLOSED = (
    "<p>Requests need an access token; apps get one by SMART App Launch. People sign in at "
    '<a href="/auth/account">their account</a>.</p>'
)
_HEADER = '-H "Authorization: Bearer $TOKEN" '


async def home(request: Request) -> HTMLResponse:
    """Return the start page."""
    host = request.headers.get("host", "")
    server = request.scope.get("server") or ("localhost", None)
    public: str = request.app.state.fhir.config.public_base
    base = public or base_url(
        request.url.scheme, host, f"{server[0]}:{server[1]}" if server[1] else server[0]
    )
    is_open = request.app.state.fhir.settings.authorization == "open"
    notice, token = (_OPEN, "") if is_open else (_CLOSED, escape(_HEADER))
    return HTMLResponse(_PAGE.format(base=escape(base), notice=notice, token=token), headers=_HEADERS)


async def elsewhere(_request: Request, error: Exception) -> Response:
    """Return the refusal of a path outside the FHIR base, as an OperationOutcome that says where that is."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == 405:
        issue = Issue("not-supported", "This method is not allowed here")
        allowed = set(headers.get("Allow", "GET").split(", "))
        headers["Allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
    else:
        issue = Issue("not-found", "There is nothing here; the FHIR base is /fhir")
    headers["X-Content-Type-Options"] = "nosniff"
    mime = f"{PLAIN.mime};charset=utf-8"
    return Response(outcome([issue], PLAIN), status, {**headers, "Content-Type": mime})
