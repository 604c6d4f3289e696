"""``exegesis nli``: what models of pairs of texts align, which alignments decide, and what their gates let through."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from exegesis.cli.inputs import load
from exegesis.cli.options import NUMBERS, QUIET, TARGET, Command, Look, Model, argument, option
from exegesis.cli.outputs import PAGES, PICTURES, Files, check_files, say

OUTPUT = {"rich_help_panel": "Output"}


class Nli(Command, Look):
    """Show how models read a premise and a hypothesis: attention, its saliency, and gates, one model under another.

    \b
    exegesis nli "A kid plays" "A kid sleeps" --model esim-50 --model esim-300
    """

    premise: str = argument("The first text.", "PREMISE")
    hypothesis: str = argument("The second text.", "HYPOTHESIS")
    model: list[str] | None = option("A model of pairs of texts; repeatable.", "--model", "-m", metavar="MODEL")
    target: str | None = TARGET()
    device: str | None = option("cpu, cuda, ...", metavar="DEVICE")
    html: Path | None = option("A self-contained page.", metavar="FILE", **OUTPUT)
    figure: Path | None = option("A figure: .svg, .png, .pdf or .tex.", metavar="FILE", **OUTPUT)
    lines: bool = option("Lines between words instead of heat maps.", "--lines", default=False, **OUTPUT)
    numbers: bool = NUMBERS()
    quiet: bool = QUIET()

    def files(self) -> Files:
        """The files by option, with the endings that they may have."""
        return {"--html": (self.html, PAGES), "--figure": (self.figure, (*PICTURES, ".tex"))}

    def run(self) -> None:
        from exegesis.core.errors import UnsupportedError, UsageError

        if not self.model:
            raise UsageError("--model is missing: name a model of pairs, such as one of exegesis train --arch esim")
        view = self.view()
        check_files(self.files(), [])

        from exegesis.api import attention, gates
        from exegesis.core.disk.files import write_whole
        from exegesis.show import MEDIA, document_of
        from exegesis.show.document import Document

        pair, sections = (self.premise, self.hypothesis), []
        for name in self.model:
            model = load(dataclasses.replace(Model(), model=name, device=self.device))
            maps = [attention(model, pair, "attention", self.target),
                    attention(model, pair, "attention-saliency", self.target, form="normalised")]  # fmt: skip
            sections += [section for one in maps for section in document_of(one, lines=self.lines).sections]
            try:
                sections += document_of(gates(model, pair, self.target)).sections
            except UnsupportedError:  # a transformer has none
                continue
        document = Document(f"{self.premise} / {self.hypothesis}", "Inference", tuple(sections))
        for path in filter(None, (self.html, self.figure)):
            write_whole(path, MEDIA[path.suffix.lower()]()(document, palette=view["palette"]))
            say(path, self.quiet)
        if not self.quiet:
            sys.stdout.write(str(MEDIA["terminal"]()(document, numbers=self.numbers, **view)))
