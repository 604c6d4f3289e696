"""``exegesis serve``: a page for people who do not program, and its HTTP API."""

from __future__ import annotations

import os
from pathlib import Path

from exegesis.cli import options as opt
from exegesis.cli.inputs import read_training
from exegesis.cli.options import Command, option
from exegesis.core.errors import UsageError

TOKEN = "EXEGESIS_TOKEN"


class Serve(Command):
    """Open a page in which anyone can explain a text: words, phrases, methods, models side by side; and an HTTP API.

    \b
    exegesis serve
    exegesis serve --model my-model --model bundled --store explained
    exegesis serve --host 0.0.0.0 --allow-host explain.example.org
    """

    model: list[str] | None = option(
        "'bundled', a folder, or a Hugging Face name or folder; repeatable.", "--model", "-m", metavar="MODEL"
    )
    device: str | None = option("cpu, cuda, ...", metavar="DEVICE")
    truncate: bool = option("Cut texts that are too long for a Hugging Face model.", "--truncate", default=False)
    windows: int | None = option("Read texts that are too long in windows that share N pieces.", metavar="N", min=0)
    task: str | None = option("Of a Hugging Face model: fill-mask, ...; by default its own.", metavar="TASK")
    store: Path | None = option("A store of exegesis run to pick texts from.", metavar="FOLDER")
    train: str | None = option("Training texts, for the view of training texts.", metavar="DATA")
    host: str = option("The address to listen on.", metavar="ADDRESS", default="127.0.0.1")
    port: int = option("The port; 0 takes a free one.", metavar="N", min=0, max=65535, default=8000)
    allow_host: list[str] | None = option("A further name of this server; repeatable.", "--allow-host", metavar="NAME")
    token: str | None = option(
        f"Demand this token ({TOKEN} in the environment does so too); drawn if --host is not the loopback address.",
        metavar="TOKEN",
    )
    seconds: float = option("The time for one answer.", metavar="N", min=1, default=120.0)
    characters: int = option("The longest text.", metavar="N", min=1, default=20_000)
    waiting: int = option("Requests that may wait for each model.", metavar="N", min=1, default=200)
    rate: int = option("Requests a minute from one address.", metavar="N", min=1, default=600)
    most: int | None = option("The passes of the model that a text may take.", "--most", metavar="PASSES")
    quiet: bool = opt.QUIET()

    def run(self) -> None:
        models = self.model or ["bundled"]
        if len(set(models)) < len(models):
            raise UsageError("a model is named twice; name it once")

        if self.token == "":
            raise UsageError("--token is empty: give at least 16 letters, digits, - or _, or leave it out")
        read_training(self.train, None, None, None)  # what is wrong with it is said now

        from exegesis.web.limits import Limits
        from exegesis.web.server import serve
        from exegesis.web.worker import Source

        options = {"device": self.device, "truncate": self.truncate, "windows": self.windows, "task": self.task}
        threads = 0 if len(models) == 1 else max(1, (os.cpu_count() or 1) // len(models))  # 0: as torch takes them
        sources = {_name(one): Source(one, options, self.train, self.most, threads) for one in models}
        if len(sources) < len(models):
            raise UsageError("two models have the same name; rename one of the folders")
        limits = Limits(self.waiting, self.seconds, self.characters, self.rate)
        serve(
            sources, host=self.host, port=self.port, token=self.token or os.environ.get(TOKEN),
            names=self.allow_host or (), limits=limits, store=self.store, quiet=self.quiet,
        )  # fmt: skip


def _name(model: str) -> str:
    """A model's name on the page: of a folder its last part, so that no path of this machine is shown."""
    return Path(model).resolve().name if Path(model).exists() else model
