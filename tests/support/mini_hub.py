"""A hub of models and datasets on this machine: what huggingface_hub and datasets ask of the real one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

COMMIT = "a" * 40


class _Hub(BaseHTTPRequestHandler):
    root: Path
    asked: list[str]

    def log_message(self, *given: Any) -> None:
        self.asked.append(f"{self.command} {self.path}")

    def do_GET(self) -> None:
        kind, repository, rest = self._place()
        folder = self.root / kind / repository
        if not folder.is_dir():
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif rest[0] == "resolve":
            file = folder.joinpath(*rest[2:])
            if not file.is_file():
                self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
                return
            body = file.read_bytes()
            self._answer(200, body, {"ETag": f'"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"'})
        elif rest[0] == "tree":
            under = "/".join(rest[2:])
            self._tell([entry for entry in self._entries(folder) if entry["path"].startswith(under)])
        else:
            date, names = "2024-01-01T00:00:00.000Z", [entry["path"] for entry in self._entries(folder)]
            about = {"id": repository, "sha": COMMIT, "private": False, "gated": False, "disabled": False, "tags": []}
            counts = {"downloads": 0, "likes": 0, "createdAt": date, "lastModified": date}
            self._tell({**about, **counts, "siblings": [{"rfilename": name} for name in names]})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        kind, repository, _ = self._place()
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["paths"]
        self._tell([entry for entry in self._entries(self.root / kind / repository) if entry["path"] in asked])

    def _place(self) -> tuple[str, str, list[str]]:
        """models or datasets, owner/name, and what is asked of it."""
        parts = unquote(urlparse(self.path).path).strip("/").split("/")
        if parts[0] == "api":
            return parts[1], "/".join(parts[2:4]), parts[4:] or ["about"]
        kind = "datasets" if parts[0] == "datasets" else "models"
        parts = parts[kind == "datasets" :]
        return kind, "/".join(parts[:2]), parts[2:]

    def _entries(self, folder: Path) -> list[dict[str, Any]]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return [
            {"type": "file", "oid": "b" * 40, "size": path.stat().st_size, "path": path.relative_to(folder).as_posix()}
            for path in files
        ]

    def _tell(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _answer(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "X-Repo-Commit": COMMIT, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextlib.contextmanager
def serving(root: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a hub whose models and datasets lie in ``root``, and what it is asked."""
    handler = type("Hub", (_Hub,), {"root": root, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
    finally:
        server.shutdown()
        server.server_close()
