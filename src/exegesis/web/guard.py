"""What every request passes before anything else: its host, its token, its rate and its size; and the headers of every
answer, which let the page load nothing from elsewhere and run no script but its own files."""

from __future__ import annotations

import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
COOKIE = "exegesis-token"
ADDRESSES = 10_000  # of which the rate is remembered
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


@dataclass(eq=False)
class Rate:
    """How often each address may ask: ``rate`` times a minute, a quarter of that at once."""

    rate: int
    _seen: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def allows(self, address: str) -> bool:
        """Count a request; False if it is one too many."""
        burst, now = max(1.0, self.rate / 4), time.monotonic()
        left, then = self._seen.pop(address, (burst, now))
        left = min(burst, left + (now - then) * self.rate / 60)
        self._seen[address] = (left - 1 if left >= 1 else left, now)
        while len(self._seen) > ADDRESSES:
            self._seen.popitem(last=False)
        return left >= 1


class Guard:
    """The server's door (see the module). ``hosts`` are the names by which it may be called, ``*`` for any; ``token``
    must come with every request, if there is one: as a bearer token, or once as ``?token=`` of the page, which then
    keeps it as a cookie that no script reads."""

    def __init__(self, app: App, hosts: Collection[str], token: str | None, rate: int, size: int) -> None:
        self.app, self.hosts, self.token, self.rate, self.size = app, hosts, token, Rate(rate), size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        taken, turned = 0, False  # bytes of the body, and whether its sender has been told that they are too many

        async def sent(message: MutableMapping[str, Any]) -> None:
            nonlocal turned
            if turned:
                return
            if taken > self.size:  # whatever the application makes of a body that it could not read
                turned = True
                await _answer(with_headers, 413, f"the body is larger than {self.size:,} bytes")
            else:
                await with_headers(message)

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = [(name, value) for name, value in message.get("headers", []) if name.decode() not in HEADERS]
                message = {**message, "headers": given + [(k.encode(), v.encode()) for k, v in HEADERS.items()]}
            await send(message)

        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refused(scope, headers)
        if refused is not None:
            await _answer(sent, *refused)
            return
        if (
            scope["path"] == "/"
            and self.token is not None
            and "token" in dict(parse_qsl(scope["query_string"].decode("latin-1")))
        ):
            await self._keep(scope, sent)
            return

        async def received() -> MutableMapping[str, Any]:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.size:
                raise ValueError("the body is too large")
            return message

        await self.app(scope, received, sent)

    def _refused(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """The status and the sentence with which a request is turned away; None if it may pass."""
        host, api = headers.get("host", ""), scope["path"].startswith("/api/")
        if "*" not in self.hosts and _name(host) not in self.hosts:
            return 421, "this server is not called by that name: --allow-host NAME allows it"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return 403, "requests from other pages are refused"
        if self.token is not None and not self._known(scope, headers):
            return 401, "a token is needed: open the address that the server printed, or send it as a bearer token"
        if api and not self.rate.allows((scope.get("client") or ("",))[0]):
            return 429, "too many requests from this address: wait a moment"
        size = headers.get("content-length", "0")
        if not size.isdigit() or int(size) > self.size:
            return 413, f"the body is larger than {self.size:,} bytes"
        if api and scope["method"] == "POST" and headers.get("content-type", "").split(";")[0] != "application/json":
            return 415, "the body must be application/json"
        return None

    def _known(self, scope: Scope, headers: dict[str, str]) -> bool:
        kept = SimpleCookie()
        try:
            kept.load(headers.get("cookie", ""))
        except CookieError:
            kept = SimpleCookie()
        given = [headers.get("authorization", "").removeprefix("Bearer ")]
        given += [kept[COOKIE].value] if COOKIE in kept else []
        if scope["path"] == "/":
            given.append(dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token", ""))
        token = (self.token or "").encode()
        return max(hmac.compare_digest(one.encode("utf-8", "replace"), token) for one in given)

    async def _keep(self, scope: Scope, send: Send) -> None:
        """Put the token into a cookie and out of the address, which people pass on."""
        rest = [(name, value) for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name != "token"]
        place = "/" + ("?" + urlencode(rest) if rest else "")
        cookie = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict"
        headers = [(b"location", place.encode()), (b"set-cookie", cookie.encode())]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _name(host: str) -> str:
    """The name in a ``Host`` header, without the port and the brackets of IPv6."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


async def _answer(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json")]
    headers += [(b"retry-after", b"5")] if status in (429, 503) else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
