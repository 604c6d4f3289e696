"""The server: an application on a port, on the loopback address unless told otherwise, with a token elsewhere."""

from __future__ import annotations

import errno
import secrets
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from exegesis.core.errors import FileError, MissingExtraError, UsageError
from exegesis.web.limits import Limits
from exegesis.web.worker import Source

LOOPBACK = ("127.0.0.1", "localhost", "::1")
FEWEST = 16  # characters of a token


def serve(
    sources: Mapping[str, Source],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    names: Sequence[str] = (),
    limits: Limits | None = None,
    store: str | Path | None = None,
    quiet: bool = False,
) -> None:
    """Serve models by name until the process is interrupted.

    On another address than the loopback one a ``token`` is demanded of every request; one is drawn unless it is given.
    ``names`` are further names by which browsers may call the server. Raises UsageError for a short token, FileError if
    the port is taken or the store is none, MissingExtraError without uvicorn and FastAPI.
    """
    try:
        import uvicorn

        from exegesis.web.app import application
    except ImportError as error:
        raise MissingExtraError(error.name or "fastapi", "serve", "the page") from None
    if token is not None and (
        len(token) < FEWEST or not token.isascii() or not token.replace("-", "").replace("_", "").isalnum()
    ):
        raise UsageError(f"a token is at least {FEWEST} letters, digits, - or _ that nobody guesses")
    local = host in LOOPBACK
    if not local and token is None:
        token = secrets.token_urlsafe(24)
    if store is not None:
        from exegesis.web.shelf import Shelf

        Shelf(store)  # what is wrong with it is said now
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((host, port))
            place.listen(1024)  # who opens the address at once waits until the server runs
        except OSError as error:
            raise FileError(
                f"cannot listen on {host}:{port} ({error.strerror or error}): choose another "
                + ("--host" if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL else "--port")
            ) from None
        hosts = (*LOOPBACK, host, *names) if host not in ("0.0.0.0", "::") or names else ("*",)
        app = application(sources, limits=limits, store=store, token=token, hosts=[name.lower() for name in hosts])
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{place.getsockname()[1]}/" + (f"?token={token}" if token else "")
        if not quiet:
            print(f"{address}  (Ctrl-C ends it)", file=sys.stderr, flush=True)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, limit_concurrency=1000,
            timeout_keep_alive=30, h11_max_incomplete_event_size=1 << 16,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[place])
