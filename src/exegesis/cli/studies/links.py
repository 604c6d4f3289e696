"""``exegesis study links``: which heads of an encoder follow links between words."""

from __future__ import annotations

from exegesis.cli.inputs import load
from exegesis.cli.options import LIMIT, SEED, Command, Model, argument, choice
from exegesis.cli.outputs import progress
from exegesis.cli.studies.output import Output


class Links(Command, Output, Model):
    """Show which attention heads of an encoder follow links between words: scopes, antecedents, reflexives.

    \b
    exegesis study links cdsco-dev.txt --kind negation -m my-encoder
    exegesis study links en_gum-ud-dev.conllu --kind coreference -m my-encoder
    exegesis study links --kind reflexives -m my-encoder
    """

    data: str | None = argument("CD-SCO or SFU for negation, CoNLL-U with Entity= for coreference.", "FILE", None)
    kind: str = choice("negation, coreference, or reflexives, which need no file.",
                       ("negation", "coreference", "reflexives"), "negation")  # fmt: skip
    limit: int | None = LIMIT()
    seed: int = SEED("Seed of the sentences with reflexives and of the bootstrap.")

    def run(self) -> None:
        self.check(self.data)

        from exegesis.study import links

        shown = progress(self.quiet)
        self.put(links(load(self), self.data, self.kind, limit=self.limit, seed=self.seed, progress=shown))
