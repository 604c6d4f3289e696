"""Studies of a model by one method: word classes, single words, summaries, failures and substitutions."""

from __future__ import annotations

import inspect
from functools import partial
from pathlib import Path
from typing import Any

from exegesis.cli import options as opt
from exegesis.cli.inputs import chosen, load
from exegesis.cli.options import Command, argument, option
from exegesis.cli.outputs import progress
from exegesis.cli.studies.output import Output
from exegesis.cli.studies.texts import Corpus, LabelledCorpus, OtherTexts, Rows, TrainedCorpus

SEED = partial(opt.SEED, "Seed of the bootstrap and of language models.")
NUMBER = partial(option, metavar="N")


class ModelStudy(Command, Output, opt.Recommended, Rows):
    """A study of a model by one method: the function in ``exegesis.study`` that has the command's name, and whose
    arguments are the texts, the method, and the fields of the command's own class."""

    method: str | None = option(
        "See 'exegesis methods'; by default integrated-gradients.", "--method", "-M", metavar="METHOD"
    )

    def read(self) -> dict[str, Any]:
        """The texts, as arguments of the study."""
        raise NotImplementedError

    def run(self) -> None:
        self.check(self.recommendation)
        arguments = self.read() | {name: getattr(self, name) for name in inspect.get_annotations(type(self))}

        from exegesis import study
        from exegesis.api import preferred

        model = load(self)
        parameters = chosen(model, [self.method or preferred(model)], self)
        ((name, own),) = parameters.items()
        ask, shown = getattr(study, type(self).__name__.lower()), progress(self.quiet)
        self.put(ask(model, method=name, progress=shown, **arguments, **own))


class Words(Corpus, ModelStudy):
    """Show how words of each part of speech score: which kinds of words does the model go by?

    \b
    exegesis study words reviews.tsv --figure classes.svg
    exegesis study words sst2/ --split test -M lrp --html classes.html
    """

    target: str | None = opt.TARGET()
    tags: str = option("merged, penn or universal.", metavar="TAGS", default="merged")
    seed: int = SEED()


class Word(LabelledCorpus, ModelStudy):
    """Show how one word scores in all its contexts, or compare several words.

    \b
    exegesis study word reviews.tsv terrible terribly
    exegesis study word sst2/ good not --split test --figure words.svg
    """

    words: list[str] = argument("The word, or several to compare.", "WORD...")
    target: str | None = opt.TARGET()
    contexts: int = NUMBER("Contexts shown from each end.", min=0, default=3)
    seed: int = SEED()


class Summary(TrainedCorpus, ModelStudy):
    """Show the strongest words of each label, doubtful explanations, and words that contradict the training texts.

    \b
    exegesis study summary test.tsv --train train.tsv --html summary.html
    """

    most: int = NUMBER("Words of each label.", min=1, default=12)
    minimum: int = NUMBER("Uses that a word needs.", min=1, default=5)
    seed: int = SEED()


class Failures(TrainedCorpus, ModelStudy):
    """Sort wrong predictions by the words that caused them, and check the training data.

    \b
    exegesis study failures test.tsv --train train.tsv --html failures.html
    exegesis study failures sst2/ --split test --train sst2/ --model my-model
    """

    most: int = NUMBER("Causes to look into.", min=1, default=20)
    examples: int = NUMBER("Texts shown of each cause.", min=0, default=2)
    sources: int = NUMBER("Training texts named behind each cause.", min=0, default=0)


class Substitute(OtherTexts, ModelStudy, panel="Swaps"):
    """Replace a word by others: which of them flip the prediction, and do they flip it in other texts too?

    \b
    exegesis study substitute "A smart, dumb and funny movie." --language bundled
    exegesis study substitute "Terribly charismatic." terribly --synonyms mine.txt
    """

    text: str = argument("The text.", "TEXT")
    word: str | None = argument("The word to replace; by default the one with the highest score.", "WORD", None)
    gold: str | None = option("The true label of the text.", metavar="LABEL")
    synonyms: Path | None = option("Lines of a word, a colon, and its synonyms with commas.", metavar="FILE")
    neighbours: int = NUMBER("Words of the nearest vectors, among those of --data.", min=0, default=0)
    vectors: Path | None = option("Word vectors; by default the model's own.", metavar="FILE")
    language: str | None = option("A language model: 'bundled', or a masked Hugging Face model.", metavar="NAME")
    seed: int = SEED(rich_help_panel=None)
