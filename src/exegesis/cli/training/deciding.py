"""The options of ``exegesis train --arch concepts``, and ``exegesis rename``, which names the concepts of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.cli.options import Command, Group, argument, choice, option
from exegesis.core.errors import UsageError
from exegesis.core.escapes import escaped

if TYPE_CHECKING:
    from exegesis.models.concept_models.shape import ConceptConfig

FOREIGN = (
    "landmarks",
    "kernel",
    "layers",
    "readout",
    "hops",
    "span",
    "heads",
    "feedforward",
    "kernels",
    "turn_over",
    "embedding_dropout",
)


class Deciding(Group, panel="Concepts"):
    """The options of a classifier that decides through concepts (--arch concepts)."""

    form: str = choice("One excerpt a concept, or masks and attention.", ("educe", "conrat"), "educe")
    concepts: int = option("Their number.", metavar="N", min=1, default=6)
    longest: int = option("Words of an excerpt of educe, at most.", metavar="N", min=1, default=3)
    excerpt_share: float = option("Share of the words of a concept of conrat.", default=0.1)
    consistency: float = option("Weight of what keeps concepts apart.", min=0.0, default=1.0)


def deciding_config(asked: Any) -> ConceptConfig:
    """The shape of the classifier that the options ask for. Raises UsageError for options that it does not have."""
    from exegesis.models.concept_models.shape import ConceptConfig

    wrong = next((name for name in FOREIGN if getattr(asked, name) not in (None, False, 0.0)), None)
    if wrong is not None:
        raise UsageError(f"--{wrong.replace('_', '-')} does not belong to --arch concepts; leave it out")
    sizes = {name: getattr(asked, name) for name in ("embedding", "hidden", "dropout")}
    given = {name: value for name, value in sizes.items() if value is not None}
    return ConceptConfig(
        form=asked.form, concepts=asked.concepts, longest=asked.longest, share=asked.excerpt_share,
        consistency=asked.consistency, **given,
    )  # fmt: skip


class Rename(Command):
    """Name the concepts of a model of exegesis train --arch concepts; the names are kept in its folder.

    A concept is named by its number from 1, or by the name that it has. Without new names, those it has are shown.

    \b
    exegesis rename my-model 1=food "2=slow service"
    exegesis rename my-model
    """

    model: Path = argument("The model folder.", "MODEL")
    names: list[str] | None = argument("CONCEPT=NAME", "CONCEPT=NAME...", None)

    def run(self) -> None:
        from exegesis.models.concept_models.names import read_names, write_names
        from exegesis.models.concept_models.shape import ConceptConfig
        from exegesis.models.trained.folder import load_folder

        config = load_folder(self.model).module.config
        if not isinstance(config, ConceptConfig):
            raise UsageError(f"{self.model} does not decide through concepts; give a model of --arch concepts")
        names = list(read_names(self.model, config.concepts))
        old = list(names)
        renamed: set[int] = set()
        for given in self.names or []:
            place, new = _place(given, old), given.partition("=")[2].strip()
            if not new:
                raise UsageError(f"{given}: the name is blank; write CONCEPT=NAME, such as 1=food")
            if place in renamed:
                raise UsageError(f"{given}: concept {place + 1} is named twice; name it once")
            renamed.add(place)
            names[place] = new
        if self.names:
            write_names(self.model, names, config.concepts)
        for number, name in enumerate(names, 1):
            print(f"{number}  {escaped(name)}")


def _place(given: str, names: list[str]) -> int:
    """The place of the concept that ``CONCEPT=NAME`` names. Raises UsageError if there is none."""
    concept, sign, _ = given.partition("=")
    concept = concept.strip()
    if not sign:
        raise UsageError(f"{given}: write CONCEPT=NAME, such as 1=food")
    if concept in names:
        return names.index(concept)
    if concept.isdecimal() and 1 <= int(concept) <= len(names):
        return int(concept) - 1
    raise UsageError(f"there is no concept {concept!r}; give a number from 1 to {len(names)}, or one of its names")
