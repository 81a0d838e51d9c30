"""A FHIR server that stores nothing: it answers what a test tells it to, and remembers what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

Json = dict[str, Any]


class Reply(NamedTuple):
    """An answer; status 0 cuts the connection instead."""

    status: int
    body: Json
    headers: dict[str, str] | None = None


def accepted(bundle: Json) -> Reply:
    """Return what a server answers that stores everything."""
    entries = [{"response": {"status": "201 Created"}} for _ in bundle.get("entry", [])]
    return Reply(200, {"resourceType": "Bundle", "type": f"{bundle['type']}-response", "entry": entries})


def outcome(text: str, *expression: str) -> Json:
    """Return an OperationOutcome of one error."""
    issue = {"severity": "error", "code": "invalid", "diagnostics": text, "expression": list(expression)}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


class StubServer:
    """Listens on loopback while used as a context manager."""

    def __init__(self, answer: Callable[[Json], Reply] = accepted) -> None:
        self.bundles: list[Json] = []
        lock = threading.Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                bundle = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    stub.bundles.append(bundle)
                    reply = answer(bundle)
                if not reply.status:
                    self.close_connection = True
                    return
                body = json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in {**(reply.headers or {}), "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.base = f"http://127.0.0.1:{self._server.server_port}/fhir"

    def __enter__(self) -> StubServer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
