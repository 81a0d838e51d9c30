"""What the authorization server refuses, in OAuth's words.

Source: RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1, RFC 7591 section 3.2.2
"""

from __future__ import annotations

import re

_NOT_TEXT = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]+")


class OAuthError(Exception):
    """A refusal: OAuth's code, and a text for developers.

    Shape:  `status` of the HTTP answer where it is not sent by a redirect; `headers` go with it
    """

    def __init__(
        self, code: str, text: str = "", status: int = 400, headers: dict[str, str] | None = None
    ) -> None:
        self.code = code
        self.text = _NOT_TEXT.sub(" ", text)[:300]
        self.status = status
        self.headers = headers or {}
        super().__init__(f"{code}: {self.text}")

    def body(self) -> dict[str, str]:
        """Return the JSON answer."""
        return {"error": self.code, **({"error_description": self.text} if self.text else {})}


class RefusedError(OAuthError):
    """A request whose redirect URI is not to be trusted: told to the person, never sent to the app."""
