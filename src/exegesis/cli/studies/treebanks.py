"""Studies of a network on a treebank: its attention heads, and what its hidden states say."""

from __future__ import annotations

from functools import partial

from exegesis.cli import options as opt
from exegesis.cli.inputs import load
from exegesis.cli.options import Command, argument, option
from exegesis.cli.outputs import progress
from exegesis.cli.studies.output import Output

NUMBER = partial(option, metavar="N")


class Heads(Command, Output, opt.Model):
    """Show what each attention head of an encoder finds in a treebank, beside fixed offsets, and what it is worth.

    \b
    exegesis study heads en_ewt-ud-dev.conllu -m my-encoder --html heads.html
    """

    data: str = argument("Sentences with dependencies, in CoNLL-U.", "TREEBANK")
    limit: int | None = opt.LIMIT()
    minimum: int = NUMBER("Leave out relations of fewer words.", min=1, default=20)
    tried: int = NUMBER("Sentences on which heads are left out.", min=0, default=20)
    seed: int = opt.SEED("Seed of the bootstrap.")

    def run(self) -> None:
        self.check(self.data)

        from exegesis.study import heads

        shown = progress(self.quiet)
        self.put(heads(load(self), self.data, limit=self.limit, minimum=self.minimum, tried=self.tried, seed=self.seed,
                       progress=shown))  # fmt: skip


class Probe(Command, Output, opt.Model):
    """Read words' tags, relations and depths, sentences' lengths and tenses, and trees off a model's hidden states.

    \b
    exegesis study probe en_ewt-ud-dev.conllu -m my-encoder --limit 500
    """

    data: str = argument("Sentences with dependencies, in CoNLL-U.", "TREEBANK")
    limit: int | None = opt.LIMIT()
    properties: str = option("tag,relation,depth,length,tense,content, or all.", metavar="A,B", default="all")
    layers: str = option("all, or names such as 'layer 1,pooled'.", metavar="NAMES", default="all")
    probes: str = option(
        "linear,mlp,structure, or all; attention, if named: of arcs and relations.", metavar="A,B", default="all"
    )
    param: list[str] | None = opt.PARAM()
    seed: int = opt.SEED("Seed of the split, the control tasks and the probes.")

    def run(self) -> None:
        self.check(self.data)

        from exegesis.cli.inputs import assigned
        from exegesis.core.parameters import hints
        from exegesis.study import probe
        from exegesis.study.insides.probes import Probing

        own = assigned(self.param, {"probe": dict.fromkeys(hints(Probing), Probing)})["probe"]
        self.put(probe(load(self), self.data, self.properties, self.layers, probes=self.probes, limit=self.limit,
                       progress=progress(self.quiet), **{"seed": self.seed, **own}))  # fmt: skip
