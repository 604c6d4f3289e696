"""``exegesis serve``: what its options become, and the page in a real browser, where there is one."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request

import pytest

from exegesis.web import server
from exegesis.web.limits import Limits
from exegesis.web.worker import Source

TEXT = "A fine film, but it grows tedious"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def test_the_options_reach_the_server(call, monkeypatch, tmp_path):
    seen = {}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.tsv").write_text("text\tlabel\na fine film\tpositive\n")
    monkeypatch.setattr(server, "serve", lambda sources, **options: seen.update(sources=sources, **options))
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    said = call(
        "serve", "-m", "bundled", "-m", "some/model", "--device", "cpu", "--truncate", "--windows", "8",
        "--task", "fill-mask", "--store", "s", "--train", "t.tsv", "--host", "0.0.0.0", "--port", "0",
        "--allow-host", "here.example",
        "--token", "x" * 16, "--seconds", "3", "--characters", "4", "--waiting", "5", "--rate", "6",
        "--most", "7", "-q",
    )  # fmt: skip
    assert said.code == 0, said
    options = {"device": "cpu", "truncate": True, "windows": 8, "task": "fill-mask"}
    assert seen["sources"] == {name: Source(name, options, "t.tsv", 7, 3) for name in ("bundled", "some/model")}
    assert seen["limits"] == Limits(5, 3.0, 4, 6)
    kept = {name: seen[name] for name in ("host", "port", "token", "names", "quiet")}
    assert kept == {"host": "0.0.0.0", "port": 0, "token": "x" * 16, "names": ["here.example"], "quiet": True}
    assert str(seen["store"]) == "s"


def test_a_folder_is_named_by_its_last_part_alone(call, monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr(server, "serve", lambda sources, **options: seen.update(sources))
    (tmp_path / "mine").mkdir()
    assert call("serve", "-m", str(tmp_path / "mine")).code == 0
    assert list(seen) == ["mine"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--token", "short"], "a token is at least 16 letters, digits, - or _ that nobody guesses"),
        (["-m", "bundled", "-m", "bundled"], "a model is named twice; name it once"),
        (["--port", "70000"], "--port 70000: give a number of at most 65535"),
        (["--store", "nowhere"], "nowhere is no store of explanations"),
    ],
)
def test_what_is_wrong_is_said_before_anything_listens(call, words, said):
    found = call("serve", *words)
    assert found.code in (1, 2)
    assert said in found.err


def test_a_port_that_is_taken_is_said(call):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = call("serve", "--port", str(taken.getsockname()[1]))
    assert found.code == 1
    assert "choose another --port" in found.err


@pytest.fixture(scope="module")
def address():
    """A server of its own process, ended as Ctrl-C ends it."""
    command = [sys.executable, "-m", "exegesis", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr is not None
        found = re.match(r"(http://127\.0\.0\.1:\d+/)  \(Ctrl-C ends it\)", started.stderr.readline())
        assert found
        yield found[1]
        started.terminate()
        assert started.wait(20) == 130, started.stderr.read()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_the_page_in_a_browser(address):
    """Type a text, read the answer, take a word away, go through the views by keyboard, open the link again; nothing
    is asked of another machine, no hostile text runs, and the page breaks no rule of its policy."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 390, "height": 800}).new_page()
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.set_default_timeout(120_000)
        page.goto(address)
        page.get_by_label("Text", exact=True).fill(TEXT)
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".words button")
        assert [one.inner_text() for one in page.query_selector_all(".words .word")][:3] == ["A", "fine", "film"]
        page.locator(".words .word", has_text="tedious").click()
        page.get_by_role("button", name="Take away").click()
        page.wait_for_selector(".after .bars")
        assert "positive" in page.locator(".after figcaption").inner_text()
        assert "word7=" in page.url
        page.get_by_role("tab", name="Words", exact=True).focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        page.wait_for_selector(".phrases details")
        assert page.evaluate("document.activeElement.textContent") == "Phrases"
        whole = page.locator(".phrases summary").first
        whole.focus()
        page.keyboard.press("Enter")
        assert page.locator(".phrases > details").get_attribute("open") is None
        link, wide = page.url, page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390
        page.goto("about:blank")
        page.goto(link)
        page.wait_for_selector(".phrases details")
        assert page.get_by_label("Text", exact=True).input_value() == TEXT
        page.goto(
            f"{address}?text=<img src=x onerror=alert(1)> fine <script>alert(2)</script>&word0=<b onclick=alert(3)>"
        )
        page.wait_for_selector(".after .bars")
        assert page.locator("#answer img, #answer script, #answer b").count() == 0
        assert said == []
        assert {url.split("/")[2] for url in asked if url.startswith("http")} == {address.split("/")[2]}
        browser.close()


def test_it_listens_on_the_loopback_address_alone(address):
    port = int(address.rsplit(":", 1)[1].strip("/"))
    with urllib.request.urlopen(f"{address}api/health", timeout=20) as answer:
        assert answer.status == 200
    with socket.socket() as other:
        other.settimeout(2)
        assert other.connect_ex(("127.0.0.2", port)) != 0
