"""``exegesis report``: one page about a model for a reviewer."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

from exegesis.cli import options as opt
from exegesis.cli.inputs import listed, load, read_training
from exegesis.cli.options import Command, option
from exegesis.cli.outputs import PAGES, check_files, progress, say
from exegesis.cli.studies.texts import Rows
from exegesis.core.disk.files import read_text
from exegesis.core.errors import UsageError
from exegesis.core.escapes import escaped

KEPT = ("column", "pair_column", "device", "task")  # options that commands which repeat a chapter have too


class Report(Command, opt.Look, opt.Model, Rows):
    """Write a report on a model: accuracy, the method to recommend, its words, cases, failures, slices, checks.

    \b
    exegesis report --data reviews.tsv --out report.html
    exegesis report -m mine --data test.tsv --words women.txt,men.txt --out r.html
    exegesis report -m mine --data sst2/ --split test --measured 200 --out r.html
    exegesis report -m mine --data test.tsv --out r.html --card README.md
    """

    data: str = option("Texts, with labels if they have any.", "--data", "--file", "-f", metavar="DATA", default=...)
    train: str | None = option("The training texts, with labels.", metavar="DATA")
    label: str | None = opt.LABEL()
    words: str | None = option("Slices by words: files of a word a line.", metavar="A.txt,B.txt")
    methods: str | None = opt.methods("Candidates; by default the usual ones that the model can serve.")
    measured: int = option("Texts by which methods are measured.", metavar="N", min=2, default=100)
    checked: int = option("Texts of the sanity checks.", metavar="N", min=2, default=30)
    seed: int = opt.SEED("Seed of random scores and of intervals.")
    out: Path = option("The page.", "--out", "-o", metavar="FILE", default=..., **opt.OUTPUT)
    card: Path | None = option("Also a model card for the Hugging Face hub, .md.", metavar="FILE", **opt.OUTPUT)
    license: str | None = option("For --card: the model's licence, such as apache-2.0.", metavar="NAME", **opt.OUTPUT)
    language: str | None = option("For --card: languages, such as en.", metavar="A,B", **opt.OUTPUT)
    about: Path | None = option("For --card: Markdown about the model, placed first.", metavar="FILE", **opt.OUTPUT)
    quiet: bool = opt.QUIET()

    def run(self) -> None:
        view = self.view()
        data = self._file()
        check_files(
            {"--out": (self.out, (*PAGES, ".txt")), "--card": (self.card, (".md",))}, [data, self.train, self.about]
        )
        about = self._about()
        whole = self if data == self.data else replace(self, split=None)
        examples = whole.rows(data, self.label)
        train = read_training(self.train, self.column, self.label, self.pair_column, self.encoding)

        from exegesis.study.cards import card, check_card
        from exegesis.study.reports import report

        if self.card is not None:
            check_card(self.card)
        found = report(
            load(self), examples, train=train, groups=listed(self.words) or None, methods=listed(self.methods) or None,
            measured=self.measured, checked=self.checked, seed=self.seed, named=self._named(data),
            progress=progress(self.quiet),
        )  # fmt: skip
        found.save(self.out, palette=view["palette"])
        for chapter in found.chapters if not self.quiet else ():
            print(escaped(f"{chapter.title}: {' '.join(chapter.sentences[:2]) or chapter.question}"))
        say(self.out, self.quiet)
        if self.card is not None:
            card(found, self.card, license=self.license, language=listed(self.language), about=about)
            say(self.card, self.quiet)

    def _about(self) -> str:
        """The author's own Markdown. Raises UsageError for options of a card if there is none."""
        for name in ("license", "language", "about") if self.card is None else ():
            if getattr(self, name) is not None:
                raise UsageError(f"--{name} belongs to --card; leave it out, or say --card README.md")
        return "" if self.about is None else read_text(self.about)

    def _file(self) -> str:
        """The file of the texts: of a folder with a split, the one of its name, which every command reads."""
        place = Path(self.data)
        if not place.is_dir():
            return self.data
        if self.split is None:
            raise UsageError(f"{self.data} is a folder; say --split test")
        found = sorted(place.glob(f"{self.split}.*"))
        return str(found[0]) if len(found) == 1 else self.data

    def _named(self, data: str) -> dict[str, str]:
        kept = [(f"--{name.replace('_', '-')}", getattr(self, name)) for name in KEPT]
        options = [word for name, value in kept if value is not None for word in (name, value)]
        options += [] if self.windows is None else ["--windows", str(self.windows)]
        named = {"model": self.model, "data": data, "options": shlex.join([*options, *["--truncate"] * self.truncate])}
        if self.train is not None:
            named["train"] = self.train
        if self.limit is not None:
            named["limit"] = str(self.limit)
        given = sys.argv[1:] if sys.argv[1:2] == ["report"] else []
        return {**named, "command": shlex.join(["exegesis", *given]) if given else ""}
