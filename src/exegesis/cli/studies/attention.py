"""``exegesis attention-test``: does a model's attention explain its predictions?"""

from __future__ import annotations

from dataclasses import MISSING

from exegesis.cli.inputs import load
from exegesis.cli.options import SEED, Command, Model, option
from exegesis.cli.outputs import progress
from exegesis.cli.studies.output import Output
from exegesis.cli.studies.texts import Rows


class AttentionTest(Command, Output, Model, Rows):
    """Does attention explain the predictions? Five tests beside their controls, and one sentence.

    \b
    exegesis attention-test --model my-bilstm --data dev.tsv --limit 100
    exegesis attention-test --model my-bilstm --data dev.tsv --train train.tsv
    """

    data: str = option("A .txt, .tsv, .csv or .jsonl file, a folder with a --split, or a dataset.", metavar="DATA",
                       default=MISSING)  # fmt: skip
    attention: int | None = option(
        "The number of the attention that is tested; by default the last.", metavar="N", min=1
    )
    train: str | None = option("Labelled training texts: train models beside it, for three more tests.", metavar="DATA")
    seeds: int = option("Models of other seeds, with --train.", min=1, default=3)
    epochs: int = option("Epochs of each training, with --train.", min=1, default=5)
    searched: int = option("Texts for which adversarial weights are searched.", metavar="N", min=0, default=40)
    seed: int = SEED("Seed of permutations, starts and intervals.")

    def run(self) -> None:
        self.check(self.data)
        examples = self.rows(self.data)

        from exegesis.study.insides.attention import attention_test

        shown = progress(self.quiet)
        self.put(
            attention_test(
                load(self),
                examples,
                place=self.attention,
                searched=self.searched,
                train=self.train,
                seeds=self.seeds,
                epochs=self.epochs,
                seed=self.seed,
                progress=shown,
            )
        )
