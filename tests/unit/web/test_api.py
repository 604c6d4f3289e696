"""The HTTP API over a real process of the bundled model: the functions' numbers, errors in one line, a shut door."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from starlette.testclient import TestClient

import exegesis
from exegesis.web.app import STATIC, application
from exegesis.web.guard import Guard, Rate
from exegesis.web.limits import Limits
from exegesis.web.worker import Source

TEXT = "A fine film, but it grows tedious"
MARKUP = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<svg onload=alert(1)>", "' onmouseover='alert(1)",
    "{{7*7}} {% raw %} ${alert(1)}", "</style><iframe src=//evil.example>", "\u2028 \x00 &lt;b&gt;",
]  # fmt: skip
LIMITS = Limits(characters=2000, rate=100_000, size=20_000)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    exegesis.run("bundled", [TEXT, "A dull film.", " "], folder / "s", ["leave-one-out"])
    return folder / "s"


@pytest.fixture(scope="module")
def client(store):
    sources = {"bundled": Source("bundled", threads=1), "absent": Source(str(store / "no-model"))}
    guard = application(sources, limits=LIMITS, store=store, hosts=["testserver"])
    with TestClient(guard) as client:
        end = time.monotonic() + 120
        while time.monotonic() < end and client.get("/api/models").json()["models"][0]["state"] == "loading":
            time.sleep(0.1)
        yield client


def answered(client, path="/api/explain", status=200, **body):
    sent = json.dumps({"text": TEXT, **body})  # in ASCII: half a character too
    answer = client.post(path, content=sent, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    return answer


def test_answers_are_those_of_the_functions(client):
    model = exegesis.load()
    methods = ["leave-one-out", "lrp"]
    (one, other) = answered(client, methods=methods, target="positive").json()["results"]
    for name, found in zip(methods, (one, other), strict=True):
        expected = exegesis.explain(model, TEXT, name, "positive").timeless().to_dict()
        assert expected == exegesis.Attribution.from_dict(found).timeless().to_dict()
    (tree,) = answered(client, view="phrases", search="acd").json()["results"]
    assert exegesis.Hierarchy.from_dict(tree).timeless() == exegesis.hierarchy(model, TEXT).timeless()
    (pairs,) = answered(client, view="pairs", text="a fine film").json()["results"]
    assert exegesis.Interactions.from_dict(pairs).timeless() == exegesis.interactions(
        model, "a fine film", "removal").timeless()  # fmt: skip


def test_words_are_taken_away_and_replaced_before_the_model_reads(client):
    (found,) = answered(client, changes={"1": "very dull", "7": ""}, methods=["lrp"]).json()["results"]
    assert found["text"] == "A very dull film, but it grows"
    assert found["scores"] == exegesis.explain(exegesis.load(), found["text"], "lrp").to_dict()["scores"]
    refused = answered(client, status=422, changes={"8": ""})
    assert refused.json()["error"] == "changes: '8' is not the number of a word of the text (0 to 7)"


def test_a_view_has_the_words_and_the_tree_for_the_page(client):
    told = answered(client, form="view", methods=["leave-one-out"]).json()
    (result,) = told["results"]
    assert "".join(part["text"] for part in result["words"]) == TEXT
    scores = exegesis.explain(exegesis.load(), TEXT, "leave-one-out").scores
    said = [float(part["score"].replace("\N{MINUS SIGN}", "-")) for part in result["words"] if "word" in part]
    assert said == pytest.approx(scores.tolist(), abs=0.006)
    assert dict(result["probabilities"]) == pytest.approx(exegesis.predict("bundled", TEXT))
    assert "<style" not in told["html"]
    assert " style=" not in told["html"]
    (result,) = answered(client, form="view", view="phrases").json()["results"]
    assert (result["tree"][0]["depth"], result["tree"][0]["text"]) == (0, TEXT)


def test_files_are_those_that_save_writes(client, tmp_path):
    result = exegesis.explain("bundled", TEXT, "lrp")
    for form in ("html", "svg"):
        answer = answered(client, form=form, methods=["lrp"])
        assert answer.content == result.save(tmp_path / f"x.{form}").read_bytes()
        assert answer.headers["content-disposition"] == f'attachment; filename="explanation.{form}"'


def test_a_stream_says_how_far_it_is_and_ends_with_the_answer(client):
    lines = answered(client, "/api/stream", view="phrases").text.splitlines()
    events = [json.loads(line) for line in lines]
    names = [event["event"] for event in events]
    assert names[:2] == ["queued", "started"]
    assert names[-1] == "done"
    assert {"what", "done", "total"} <= set(events[2])
    assert events[-1]["results"][0]["format"] == "exegesis.hierarchy"


def test_a_model_that_fails_ends_no_other(client):
    """The error of one model of several is told with its name, in the stream and beside what the other answers."""
    body = {"models": ["absent", "bundled"], "methods": ["lrp"]}
    events = [json.loads(line) for line in answered(client, "/api/stream", **body).text.splitlines()]
    (failed,) = [event for event in events if event["event"] == "failed"]
    assert (failed["model"], failed["status"]) == ("absent", 503)
    assert events[-1]["event"] == "done"
    assert events[-1]["errors"] == {"absent": failed["error"]}
    (alone,) = answered(client, methods=["lrp"]).json()["results"]
    told = answered(client, **body).json()
    assert [one["scores"] for one in (*told["results"], *events[-1]["results"])] == [alone["scores"]] * 2
    assert told["errors"] == {"absent": failed["error"]}
    events = [json.loads(line) for line in answered(client, "/api/stream", models=["absent"]).text.splitlines()]
    assert (events[-1]["event"], events[-1]["model"]) == ("error", "absent")


def test_layers_are_chosen(client):
    """A page is told which layers, heads and methods for training texts there are, and chooses one."""
    (told, _) = client.get("/api/models").json()["models"]
    assert {"layer 1", "pooled"} <= set(told["sites"])
    (found,) = answered(client, view="information", sites=["pooled"], parameters={"pairs": 2}).json()["results"]
    assert found["format"] == "exegesis.information"
    assert [told["places"], told["sources"]] == [[], []]  # no attention, and no training texts
    refused = answered(client, view="information", sites=["layer 9"], status=422).json()["error"]
    assert "layer 1" in refused


def test_one_text_of_a_batch_that_fails_spoils_no_other(client):
    body = {"texts": ["a fine film", "  ", "a dull film"], "methods": ["lrp"]}
    first, blank, last = client.post("/api/batch", json=body).json()["answers"]
    assert blank == {"error": "the text is empty or blank; give a text with at least one word"}
    for text, found in (("a fine film", first), ("a dull film", last)):
        own = exegesis.explain("bundled", text, "lrp")
        assert exegesis.Attribution.from_dict(found["results"][0]).scores == pytest.approx(own.scores, abs=1e-6)


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"text": " "}, 422, "the text is empty or blank; give a text with at least one word"),
        ({"text": "x" * 2001}, 413, "the text has 2,001 characters, and this server takes 2,000"),
        ({"methods": ["nope"]}, 422, "unknown method 'nope'"),
        ({"target": "nope"}, 422, "unknown label 'nope'"),
        ({"models": ["nope"]}, 422, "unknown model 'nope' (known: bundled, absent)"),
        ({"models": ["absent"]}, 503, "the model absent could not be loaded: "),
        ({"view": "nope"}, 422, "view: "),
        ({"parameters": {"nope": 1}}, 422, "unknown parameter 'nope'"),
        ({"view": "training"}, 400, "no training texts are served here: start the server with --train DATA"),
        ({"pair": "b"}, 400, None),
        ({"model": "bundled"}, 422, "model: there is no such field"),
        ({"methods": "lrp"}, 422, "methods: Input should be a list"),
    ],
)
def test_errors_are_one_line(client, body, status, sentence):
    answer = client.post("/api/explain", json={"text": TEXT, **body})
    said = answer.json()["error"]
    assert answer.status_code in ((status,) if sentence else (400, 422)), said
    assert said.startswith(sentence or "")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("body", "sentence"),
    [(b"{", "the body: is not JSON"), (b"[]", "the body: give an object of JSON"), (b"\xff{", "There was an error"),
     (b"[" * 10_000, "There was an error")],
)  # fmt: skip
def test_a_body_that_is_no_request_is_said_in_one_line(client, body, sentence):
    answer = client.post("/api/explain", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].startswith(sentence)


def test_a_request_is_taken_back(client):
    """The cost of this one is minutes; it stops at the next report of progress, and the process goes on."""
    restarts = client.get("/api/health").json()["restarts"]
    body = {"text": f"{TEXT} " * 5, "view": "phrases", "search": "soc", "parameters": {"samples": 200}}
    with client.stream("POST", "/api/stream", json=body) as answer:
        for line in answer.iter_lines():
            event = json.loads(line)
            if event["event"] == "queued":
                number = event["id"]
                assert client.delete(f"/api/requests/{number}").json() == {"cancelled": True}
    assert event["status"] == 499
    assert client.get("/api/health").json()["restarts"] == restarts
    assert client.delete(f"/api/requests/{number}").status_code == 404


def test_the_texts_of_a_store_can_be_picked(client):
    told = client.get("/api/texts").json()
    assert sorted(row["text"] for row in told["texts"]) == ["A dull film.", TEXT]
    assert [row["text"] for row in client.get("/api/texts?find=DULL").json()["texts"]] == ["A dull film."]
    assert client.get("/api/texts?start=1").json()["texts"][0]["text"] == told["texts"][1]["text"]


def test_a_store_says_what_corpus_says(client, store):
    told = client.get("/api/store").json()
    summary = replace(exegesis.corpus(store, by="label"), store=store.name)
    assert type(summary).from_dict(told["results"][0]) == summary
    assert "leave-one-out" in told["html"]
    assert "<style" not in told["html"]
    refused = client.get("/api/store?by=colour")
    assert (refused.status_code, refused.json()["error"][:23]) == (422, "unknown column 'colour'")


def test_the_api_is_described(client):
    described = client.get("/openapi.json").json()
    assert {"/api/explain", "/api/batch", "/api/stream", "/api/models", "/api/requests/{number}"} <= set(
        described["paths"]
    )
    assert "changes" in described["components"]["schemas"]["Ask"]["properties"]


class Found(HTMLParser):
    """The elements and attributes of a page as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


@pytest.mark.parametrize("text", MARKUP)
def test_no_text_becomes_markup(client, text):
    for view in ("words", "phrases"):
        told = answered(client, text=f"fine {text} film", form="view", view=view).json()
        found = Found()
        found.feed(told["html"])
        assert not found.tags & {"script", "img", "svg", "iframe", "style", "b", "a"}
        assert not [name for name in found.attributes if name.startswith(("on", "src", "href"))]


def test_half_a_character_is_refused(client):
    assert answered(client, status=422, text="a \ud800 film").json()["error"].startswith("text: ")


def test_no_file_but_those_of_the_page_can_be_reached(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son\w+=|https?://", page.text)
    folder = files("exegesis.web") / "static"
    assert {one.name for one in folder.iterdir()} == {*STATIC, "index.html"}
    for name in STATIC:
        answer = client.get(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(STATIC[name])
        assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in answer.text
    for path in ("/static/", "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/app.py",
                 "//etc/passwd", "/docs", "/static/index.html", "/api/texts/..%2f..%2fetc%2fpasswd"):  # fmt: skip
        assert client.get(path).status_code in (404, 405), path


def test_every_answer_has_the_policy(client):
    for answer in (client.get("/"), client.get("/nope"), answered(client, methods=["lrp"]), client.get("/style.css")):
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"host": "evil.example"}, b"{}", 421),
        ({"host": ""}, b"{}", 421),
        ({"origin": "http://evil.example"}, b"{}", 403),
        ({"origin": "null"}, b"{}", 403),
        ({"content-type": "text/plain"}, b"{}", 415),
        ({}, b"x" * 20_001, 413),
        ({}, b"{", 422),
        ({}, b'{"text": 3}', 422),
    ],
)
def test_what_does_not_belong_is_turned_away(client, headers, body, status):
    kind = {"content-type": "application/json"}
    answer = client.post("/api/explain", content=body, headers={**kind, **headers})
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}


def test_a_body_of_unknown_length_is_bounded(client):
    answer = client.post("/api/explain", content=iter([b"x" * 9000] * 3), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_a_token_is_demanded_of_everything_and_leaves_the_address():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})

    token = "a-token-nobody-guesses"
    client = TestClient(Guard(app, ["testserver"], token, 100, 100), follow_redirects=False)
    for path in (
        "/",
        "/api/models",
        "/static/main.js",
        f"/static/main.js?token={token}",
        "/?token=a-token-nobody-guesseS",
    ):
        assert client.get(path).status_code == 401, path
    assert client.get("/api/models", headers={"authorization": f"Bearer {token}"}).text == "in"
    opened = client.get(f"/?text=a+b&token={token}")
    assert (opened.status_code, opened.headers["location"]) == (303, "/?text=a+b")
    assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in opened.headers["set-cookie"].split(";")}
    assert client.get("/static/main.js").text == "in"  # the cookie


def test_the_rate_is_that_of_each_address(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    rate = Rate(8)  # two at once, then one every 7.5 seconds
    assert [rate.allows("a") for _ in range(3)] == [True, True, False]
    assert rate.allows("b")
    now[0] = 7.4
    assert not rate.allows("a")
    now[0] = 15.0
    assert rate.allows("a")


def test_a_process_that_is_killed_is_started_again(client):
    """The last test of the module: the process that answers is a new one afterwards."""
    desk = client.app.app.state.server.desks["bundled"]
    os.kill(desk._worker._process.pid, signal.SIGKILL)
    lost = client.post("/api/explain", json={"text": TEXT, "methods": ["lrp"]})
    assert lost.status_code == 500
    assert lost.json()["error"] == "the explanation ended the model's process (-9); other requests go on"
    again = client.post("/api/explain", json={"text": TEXT, "methods": ["lrp"]})
    assert again.status_code == 200
    assert desk.restarts == 1
