"""The routes: the page's files, and the API that the page uses, which OpenAPI describes at ``/openapi.json``."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse

from exegesis._version import __version__
from exegesis.core.errors import ExegesisError, unknown
from exegesis.web import drawn
from exegesis.web.asks import Ask, Batch
from exegesis.web.desk import Desk, Event, Full, Job
from exegesis.web.guard import Guard
from exegesis.web.limits import Limits
from exegesis.web.shelf import Shelf
from exegesis.web.worker import Source

LOOPBACK = ("localhost", "127.0.0.1", "::1")
STATIC = {
    "page.css": "text/css", "main.js": "text/javascript", "state.js": "text/javascript", "ask.js": "text/javascript",
    "dom.js": "text/javascript", "words.js": "text/javascript", "views.js": "text/javascript",
    "tree.js": "text/javascript", "icon.svg": "image/svg+xml",
}  # fmt: skip
ENDED = ("done", "error")
FULL: Event = {"event": "error", "status": 503, "error": "too many requests wait here: try again in a moment"}
LOOK = 0.5  # seconds between two looks whether a client is still there


class Server:
    """The models that are served, each with its desk, and the answers to requests."""

    def __init__(self, sources: Mapping[str, Source], limits: Limits, store: str | Path | None = None) -> None:
        self.limits, self.shelf = limits, None if store is None else Shelf(store)
        self.desks = {name: Desk(name, source, limits) for name, source in sources.items()}
        self._drawing = threading.Lock()  # the fonts of figures are measured by one thread at a time
        self._jobs: dict[int, tuple[Desk, Job]] = {}

    def close(self) -> None:
        """End the models' processes."""
        for desk in self.desks.values():
            desk.close()

    def named(self, ask: Ask) -> list[Desk]:
        """The desks that a request names, by default the first. Raises UsageError for a model that is not served."""
        for name in ask.models:
            if name not in self.desks:
                raise unknown("model", name, self.desks)
        return [self.desks[name] for name in dict.fromkeys(ask.models or (next(iter(self.desks)),))]

    def check(self, ask: Ask) -> None:
        """Raises HTTPException for a text that is longer than this server takes."""
        if ask.length > self.limits.characters:
            raise HTTPException(
                413, f"the text has {ask.length:,} characters, and this server takes {self.limits.characters:,}"
            )

    async def events(self, ask: Ask) -> AsyncIterator[Event]:
        """What happens to a request, up to ``done``, with the results of its models, or ``error`` if none of them has
        an answer. Of several models one that fails is told (``failed``) and stands in ``errors`` of what is done; the
        others go on. If nobody listens any more, the request is taken back."""
        loop, heard = asyncio.get_running_loop(), asyncio.Queue[tuple[int, Event]]()
        jobs: list[tuple[Desk, Job]] = []
        results: dict[int, list[Any]] = {}
        errors: dict[int, Event] = {}

        def teller(at: int) -> Callable[[Event], object]:
            def tell(event: Event) -> None:
                with suppress(RuntimeError):  # the server is closing
                    loop.call_soon_threadsafe(heard.put_nowait, (at, event))

            return tell

        try:
            desks = self.named(ask)
            for at, desk in enumerate(desks):
                try:
                    job = desk.put(ask, teller(at))
                except Full:
                    heard.put_nowait((at, FULL))
                    continue
                self._jobs[job.id] = desk, job
                jobs.append((desk, job))
            while len(results) + len(errors) < len(desks):
                at, event = await heard.get()
                if event["event"] == "done":
                    results[at] = event["results"]
                    continue
                if event["event"] == "error":
                    errors[at] = event
                    if len(errors) == len(desks):
                        yield {**errors[min(errors)], "model": desks[min(errors)].name}
                        return
                    event = {**event, "event": "failed"}
                yield {**event, "model": desks[at].name}
            flat = [result for at in sorted(results) for result in results[at]]
            told = {"errors": {desks[at].name: errors[at]["error"] for at in sorted(errors)}} if errors else {}
            yield {"event": "done", **told, **await asyncio.to_thread(self._drawn, ask, flat)}
        except ExegesisError as error:
            yield {"event": "error", "status": 422, "error": " ".join(str(error).split())}
        finally:
            for desk, job in jobs:
                self._jobs.pop(job.id, None)
                desk.cancel(job)

    def cancel(self, number: int) -> bool:
        """Take a request back; False if there is none of this number."""
        if number not in self._jobs:
            return False
        desk, job = self._jobs[number]
        desk.cancel(job)
        return True

    def fragment(self, results: list[Any]) -> str:
        """A fragment for a page."""
        with self._drawing:
            return str(drawn.view(results, "green-red")["html"])

    def _drawn(self, ask: Ask, results: list[Any]) -> dict[str, Any]:
        if ask.form == "results":
            return {"results": results}
        with self._drawing:
            if ask.form == "view":
                return drawn.view(results, ask.palette)
            return {"file": drawn.file(results, ask.form, ask.palette)}


async def _ended(server: Server, ask: Ask, request: Request) -> Event:
    """The last event of a request, which is taken back if the client leaves."""
    events = server.events(ask)

    async def last() -> Event:
        async for event in events:
            if event["event"] in ENDED:
                return event
        return {"event": "error", "status": 500, "error": "the request ended without an answer"}

    task = asyncio.ensure_future(last())
    try:
        while not (await asyncio.wait({task}, timeout=LOOK))[0]:
            if await request.is_disconnected():
                break
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await events.aclose()  # type: ignore[attr-defined]
    return task.result() if not task.cancelled() else {"event": "error", "status": 499, "error": "the client left"}


def application(
    sources: Mapping[str, Source],
    *,
    limits: Limits | None = None,
    store: str | Path | None = None,
    token: str | None = None,
    hosts: Collection[str] = LOOPBACK,
) -> Guard:
    """The ASGI application that serves models by name; their processes start with it and end with it."""
    limits = limits or Limits()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.server = Server(sources, limits, store)
        yield
        await asyncio.to_thread(app.state.server.close)

    app = FastAPI(
        title="Exegesis", version=__version__, docs_url=None, redoc_url=None, lifespan=life,
        description="Explanations of what a model says about a text. Errors are {\"error\": \"one line\"}.",
    )  # fmt: skip

    def server() -> Server:
        found: Server = app.state.server
        return found

    async def explain(ask: Ask, request: Request) -> Response:
        """Explain a text; the answer comes when it is ready. Of several models ``errors`` names those that have none. A
        client that leaves takes its request back."""
        server().check(ask)
        event = await _ended(server(), ask, request)
        if event["event"] == "error":
            raise HTTPException(event["status"], event["error"])
        if "file" in event:
            return Response(event["file"], media_type=drawn.TYPES[ask.form], headers=_download(ask.form))
        return _json({name: value for name, value in event.items() if name != "event"})

    async def stream(ask: Ask, request: Request) -> Response:
        """Explain a text; events come as lines of JSON: queued (with the id of the request, and how many wait before
        it), started, progress, failed (one model of several), and at last done (with what ``/api/explain`` answers) or
        error."""
        server().check(ask)
        if ask.form in drawn.TYPES:
            raise HTTPException(422, "files do not come in a stream: ask /api/explain for them")

        async def lines() -> AsyncIterator[bytes]:
            async for event in server().events(ask):
                yield json.dumps(event).encode() + b"\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def batch(batch: Batch, request: Request) -> Response:
        """Explain several texts; each has its results or an error of its own."""
        asks = batch.asks()
        for ask in asks:
            server().check(ask)
        events = await asyncio.gather(*(_ended(server(), ask, request) for ask in asks))
        return _json({"answers": [
            {name: event[name] for name in ("results", "errors", "error") if name in event} for event in events
        ]})  # fmt: skip

    async def cancel(number: int) -> dict[str, bool]:
        """Take back a request by the id in its first event."""
        if not server().cancel(number):
            raise HTTPException(404, "there is no such request, or it has ended")
        return {"cancelled": True}

    async def models() -> dict[str, Any]:
        """The models: whether each is ready, its labels and methods, and the views that it can serve."""
        told = [
            {"name": desk.name, "state": desk.state, "reason": desk.reason, **desk.about}
            for desk in server().desks.values()
        ]
        return {"models": told, "store": server().shelf is not None, "roots": drawn.roots(),
                "characters": server().limits.characters}  # fmt: skip

    async def health() -> dict[str, Any]:
        """Whether the models are ready, how often their processes were started again, and their memory in bytes."""
        desks = server().desks.values()
        return {"ready": all(desk.state == "ready" for desk in desks), "version": __version__,
                "restarts": {desk.name: desk.restarts for desk in desks},
                "memory": {desk.name: desk.memory for desk in desks}}  # fmt: skip

    async def texts(start: int = 0, find: str = "") -> dict[str, Any]:
        """Texts of the corpus store that the server was given, some at a time; ``find`` is a part of them."""
        shelf = server().shelf
        if shelf is None:
            raise HTTPException(404, "no store is served here: start the server with --store FOLDER")
        return await asyncio.to_thread(shelf.page, max(0, start), find[:200])

    async def store_told(by: str = "label") -> dict[str, Any]:
        """What the store says as a whole, in slices of the column ``by``: the strongest words, agreement, measures,
        training texts, failures; as a fragment for a page, and as JSON that ``exegesis.read`` reads."""
        shelf = server().shelf
        if shelf is None:
            raise HTTPException(404, "no store is served here: start the server with --store FOLDER")
        found = await asyncio.to_thread(shelf.summary, by[:40])
        return {"results": [found], "html": await asyncio.to_thread(server().fragment, [found])}

    for path, route, method in (
        ("/api/explain", explain, "POST"), ("/api/stream", stream, "POST"), ("/api/batch", batch, "POST"),
        ("/api/requests/{number}", cancel, "DELETE"), ("/api/models", models, "GET"), ("/api/health", health, "GET"),
        ("/api/texts", texts, "GET"), ("/api/store", store_told, "GET"),
    ):  # fmt: skip
        app.add_api_route(path, route, methods=[method], response_model=None)
    for path in ("/", "/style.css", *(f"/static/{name}" for name in STATIC)):
        app.add_api_route(path, _asset(path), methods=["GET"], include_in_schema=False)
    app.add_exception_handler(HTTPException, _said)
    app.add_exception_handler(400, _said)
    app.add_exception_handler(404, _said)
    app.add_exception_handler(405, _said)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ExegesisError, _failed)
    return Guard(app, hosts, token, limits.rate, limits.size)


BODIES = {  # what is wrong with a body, by pydantic's name of it
    "json_invalid": "is not JSON",
    "dataclass_type": "give an object of JSON",
    "unexpected_keyword_argument": "there is no such field (/openapi.json lists them)",
}


def _asset(path: str) -> Callable[[], Any]:
    """The route of one file of the page: only files that are named here can be reached."""

    async def asset() -> Response:
        return Response(*_content(path))

    return asset


@cache
def _content(path: str) -> tuple[bytes, int, None, str]:
    if path == "/style.css":
        return drawn.style().encode(), 200, None, "text/css; charset=utf-8"
    name = path.removeprefix("/static/") if path != "/" else "index.html"
    kind = STATIC.get(name, "text/html")
    return (files("exegesis.web") / "static" / name).read_bytes(), 200, None, f"{kind}; charset=utf-8"


def _json(content: Mapping[str, Any], status: int = 200) -> Response:
    """JSON in ASCII: a text may hold halves of characters, which UTF-8 has no bytes for."""
    return Response(json.dumps(content, allow_nan=False), status, media_type="application/json")


def _download(form: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="explanation.{form}"'}


async def _said(_: Request, error: Any) -> Response:
    status = getattr(error, "status_code", 500)
    return _json({"error": str(getattr(error, "detail", error))}, status)


async def _failed(_: Request, error: Any) -> Response:
    return _json({"error": " ".join(str(error).split())}, 422)


async def _invalid(_: Request, error: Any) -> Response:
    first: Mapping[str, Any] = next(iter(error.errors()), {})
    place = ".".join(str(part) for part in first.get("loc", ())[1:])
    kind, why = first.get("type"), str(first.get("msg", "not valid"))
    why = BODIES.get(str(kind), why.replace("a valid tuple", "a list"))
    return _json({"error": f"{place if kind != 'json_invalid' and place else 'the body'}: {why}"[:500]}, 422)
