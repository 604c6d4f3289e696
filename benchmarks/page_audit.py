"""Look at every view of ``exegesis serve`` in Chromium: rules of accessibility (axe-core), the width, the console.

python benchmarks/page_audit.py AXE.js [MODEL ...] [--shots FOLDER]

AXE.js is ``package/axe.min.js`` of ``npm pack axe-core``. Every view that a model has is opened by its link, in light
on a wide window and in dark on a phone; a line for each says how many rules it breaks and how far it is wider than the
window, and the last line counts them all. It needs the extra ``serve``, playwright and the system's chromium.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import exegesis

TEXT = "The fight scenes are fun but it grows tedious"
TRAIN = [("a fine film", "positive"), ("a dull film", "negative"), ("it grows tedious", "negative")]
WINDOWS = (("light", 1200, 900), ("dark", 390, 844))
SLOW = ("information",)  # views that take longer than a look is worth


def states(served: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The states of the page that are looked at: every view of every model, a changed text, two models."""
    found = [{"text": TEXT, "word7": "", "word4": "dull"}, {"text": TEXT, "view": "methods"},
             {"text": TEXT, "view": "classes"}, {"text": TEXT, "view": "trust"}]  # fmt: skip
    for model in served:
        found += [{"text": TEXT, "model": model["name"], "view": view} for view in model["views"] if view not in SLOW]
        if model["places"]:
            layer, heads = model["places"][-1]
            chosen = {"layer": str(layer), **({"head": str(heads[0])} if heads else {})}
            found.append({"text": TEXT, "model": model["name"], "view": "attention", **chosen})
    if len(served) > 1:
        found.append({"text": TEXT, "other": served[1]["name"]})
    return found


def started(models: list[str], folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A server of the models with training texts and a store, and its address."""
    train, store = folder / "train.tsv", folder / "store"
    train.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in TRAIN))
    exegesis.run("bundled", [text for text, _ in TRAIN], store, "leave-one-out")
    command = [sys.executable, "-m", "exegesis", "serve", "--port", "0", "--train", str(train), "--store", str(store)]
    server = subprocess.Popen([*command, *(word for name in models for word in ("--model", name))],
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert server.stderr is not None
    found = re.match(r"(http://\S+)", server.stderr.readline())
    assert found, "the server did not start"
    return server, found[1]


def loaded(address: str) -> list[dict[str, Any]]:
    """What the server says of its models once each is ready or failed."""
    while True:
        told = json.loads(urllib.request.urlopen(f"{address}api/models", timeout=60).read())["models"]
        if all(one["state"] != "loading" for one in told):
            return told
        time.sleep(0.5)


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = ArgumentParser(description=__doc__)
    parser.add_argument("axe", type=Path)
    parser.add_argument("models", nargs="*", default=["bundled"])
    parser.add_argument("--shots", type=Path)
    given = parser.parse_args()
    axe, wrong, wide, said = given.axe.read_text("utf-8"), 0, 0, []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as browsers:
        server, address = started(given.models, Path(folder))
        browser = browsers.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        try:
            for scheme, width, height in WINDOWS:
                # the policy of the page keeps out what it does not bring along, axe too
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme,
                                              bypass_csp=True)  # fmt: skip
                page = context.new_page()
                page.set_default_timeout(240_000)
                page.on("console", lambda message: said.append(message.text))
                page.on("pageerror", lambda error: said.append(str(error)))
                served = [one for one in loaded(address) if one["state"] == "ready"]
                for number, state in enumerate([{}, *states(served)]):
                    page.goto(f"{address}?{urlencode(state)}")
                    if state:
                        page.wait_for_function("!document.querySelector('#answer').hidden")
                    if "word7" in state:
                        page.wait_for_selector(".after .bars")
                    page.wait_for_timeout(300)
                    page.evaluate(axe)
                    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
                    over = page.evaluate("document.documentElement.scrollWidth") - width
                    wrong, wide = wrong + len(found), wide + (over > 0)
                    names = ", ".join(f"{one['id']} ({one['nodes'][0]['html'][:80]})" for one in found)
                    rest = " ".join(f"{key}={value}" for key, value in state.items() if key != "text")
                    print(f"{scheme:5} {rest:50} {len(found)} rules broken, {max(over, 0)} wider {names}", flush=True)
                    if given.shots is not None:
                        given.shots.mkdir(exist_ok=True)
                        page.screenshot(path=given.shots / f"{scheme}-{number}.png", full_page=True)
            browser.close()
        finally:
            server.terminate()
            server.wait(30)
    print(f"{wrong} rules broken, {wide} states wider than the window, {len(said)} messages in the console: {said[:3]}")


if __name__ == "__main__":
    main()
