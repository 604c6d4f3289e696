"""What a training of a selector starts from: a reader of random parts, a Hugging Face encoder, a trained classifier."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from exegesis.core.errors import UsageError
from exegesis.data.examples import Example
from exegesis.models.rationale_models.fine_tuned import CLASSIFIER, FineTunedNetwork, MaskedFineTuned
from exegesis.models.rationale_models.masked import MaskedNetwork
from exegesis.models.rationale_models.network import RationaleNetwork
from exegesis.models.rationale_models.selectors.diffmask import DiffMask
from exegesis.models.rationale_models.selectors.whole import Whole
from exegesis.models.rationale_models.shape import HF, RationaleConfig
from exegesis.models.text.pieces import PieceVocabulary
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.models.trained.corpus import find_labels
from exegesis.models.trained.folder import TrainedClassifier, is_model_folder, load_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.protocols.model import Classifier

Prepared = Callable[[TextClassifier], object]


def starts_warm(config: RationaleConfig) -> bool:
    """True for a selector that starts from a reader of random parts."""
    chosen = config.chosen
    return not (chosen.apart or chosen.pairs or isinstance(chosen, DiffMask | Whole))


def warmed(
    examples: Sequence[Example],
    dev: Sequence[Example],
    config: RationaleConfig,
    options: TrainOptions,
    checkpoint: Path | None,
    resume: bool,
    more: dict[str, Any],
) -> dict[str, Any]:
    """Further arguments of a training that starts from a reader of random parts, which is trained here.

    The classifier takes all of its weights, and the selector's encoder those of its encoder.
    """
    place = None if checkpoint is None else checkpoint.with_name(f"{checkpoint.name}.warm")
    options = _first(options, checkpoint, resume)
    shape = replace(config, selector="whole:drawn=true", unit="word", supervision=0.0, rehearsal=0.0)
    found = train(examples, dev, config=shape, options=options, checkpoint=place, resume=resume, **more)
    reader = cast(RationaleNetwork, found.model.module)

    def prepared(module: TextClassifier) -> None:
        own = cast(RationaleNetwork, module)
        if "prepared" in more:
            more["prepared"](own)
        for part, other in ((own.reader, reader.reader), (own.encoder, reader.reader), (own.output, reader.output)):
            assert part is not None
            part.load_state_dict(other.state_dict())
        if not isinstance(own, FineTunedNetwork):
            own.embedding.load_state_dict(reader.embedding.state_dict())
        own.chooser.begin(own)

    return {**more, "vocabulary": found.model.vocabulary, "prepared": prepared}


def _first(options: TrainOptions, checkpoint: Path | None, resume: bool) -> TrainOptions:
    """The options of a training before the main one: once that has begun, no more epochs of the first are made, also
    if the main one is to have more."""
    begun = resume and checkpoint is not None and checkpoint.exists()
    return replace(options, epochs=1) if begun else options


def whole_reader(
    examples: Sequence[Example],
    dev: Sequence[Example],
    config: RationaleConfig,
    options: TrainOptions,
    checkpoint: Path | None,
    resume: bool,
    more: dict[str, Any],
) -> Classifier:
    """An ordinary classifier of the sizes of the one to be trained."""
    from exegesis.models.modules.wrap import wrap

    place = None if checkpoint is None else checkpoint.with_name(f"{checkpoint.name}.support")
    shape: Any
    if config.encoder == HF:
        shape = replace(config, selector="whole", unit="word", supervision=0.0, rehearsal=0.0)
    else:
        cell: Any = "gru" if config.encoder == "cnn" else config.encoder
        shape = RecurrentConfig(
            cell=cell, bidirectional=True, embedding=config.embedding, hidden=config.hidden, dropout=config.dropout
        )
    first = _first(options, checkpoint, resume)
    result = train(examples, dev, config=shape, options=first, checkpoint=place, resume=resume, **more)
    trained: TrainedClassifier = result.model
    return wrap(trained.module, vocabulary=trained.vocabulary, labels=list(trained.labels), name="support")


def pretrained(config: RationaleConfig) -> tuple[RationaleConfig, dict[str, Any]]:
    """The shape with the encoder of a folder of transformers, and further arguments of a training that starts from it.

    Raises FileError and UnsupportedError as the loading of models does, UnsupportedError for an encoder that cannot
    read a part of a text, UsageError for a selector of pairs.
    """
    if config.pairs:
        raise UsageError("selectors of pairs have encoders that are trained here: take lstm, gru or cnn")
    module, tokenizer = _loaded(config.encoder.removeprefix(f"{HF}:"), "AutoModel", ("encoder", "name an encoder"))
    stated, vocabulary = _stated(module, tokenizer)
    width = module.get_input_embeddings().embedding_dim
    config = replace(config, encoder=HF, pretrained=stated, embedding=width, hidden=module.config.hidden_size)

    def prepared(own: TextClassifier) -> None:
        cast(FineTunedNetwork, own).begin_from(module)

    return config, {"vocabulary": vocabulary, "prepared": prepared}


def masking(
    config: RationaleConfig, options: TrainOptions, support: object, examples: Sequence[Example]
) -> tuple[RationaleConfig, TrainOptions, dict[str, Any]]:
    """The shape, the options and further arguments for masks of a trained classifier, which stays as it is.

    Masks are trained for all epochs: the accuracy, by which others end early, is the classifier's own from the start.
    """
    if not isinstance(support, str | os.PathLike):
        raise UsageError("diffmask masks a trained model as it is: name its folder (--support)")
    labels = find_labels(examples, options.neutral)
    if not is_model_folder(os.fspath(support)):
        config, own, more = _masking_pretrained(config, os.fspath(support))
    else:
        trained = load_folder(Path(support))
        frozen = trained.module.config
        if not isinstance(frozen, RecurrentConfig) or frozen.pairs:
            raise UsageError(f"{support}: diffmask masks recurrent classifiers of single texts; give one")

        def prepared(module: TextClassifier) -> None:
            cast(MaskedNetwork, module).base.load_state_dict(trained.module.state_dict())

        own = frozen.labels
        config = replace(config, embedding=frozen.embedding, base=json.dumps(frozen.entries()))
        options = replace(options, lowercase=trained.vocabulary.lowercase)
        more = {"vocabulary": trained.vocabulary, "prepared": prepared, "last": True}
    if labels != own:
        raise UsageError(f"the data have the labels {', '.join(labels)}, the model {', '.join(own)}")
    return config, replace(options, freeze=True, average=0.0, vectors=None, patience=options.epochs), more


def _masking_pretrained(
    config: RationaleConfig, support: str
) -> tuple[RationaleConfig, tuple[str, ...], dict[str, Any]]:
    """The shape, the labels and further arguments for masks of a Hugging Face classifier."""
    module, tokenizer = _loaded(support, CLASSIFIER, ("classifier", "fine-tune it (--arch hf:FOLDER)"))
    stated, vocabulary = _stated(module, tokenizer, masked=True)
    names = module.config.id2label
    labels = tuple(str(names[number]) for number in sorted(names))
    width = module.get_input_embeddings().embedding_dim
    config = replace(config, encoder="gru", base=HF, pretrained=stated, embedding=width)

    def prepared(own: TextClassifier) -> None:
        cast(MaskedFineTuned, own).base.module.load_state_dict(module.state_dict())

    return config, labels, {"vocabulary": vocabulary, "prepared": prepared, "last": True}


def _loaded(source: str, kind: str, head: tuple[str, str]) -> tuple[Any, Any]:
    """A model of transformers and its tokenizer, in evaluation mode."""
    from exegesis.models.huggingface.load import fetching, load_both

    with fetching(source) as (transformers, files):
        module, tokenizer = load_both(transformers, kind, files, head)
    return module.eval(), tokenizer


def _stated(module: Any, tokenizer: Any, *, masked: bool = False) -> tuple[str, PieceVocabulary]:
    """The shape of a model of transformers, as JSON, and its vocabulary."""
    from exegesis.models.rationale_models.pretrained import stated_encoder

    longest = getattr(module.config, "max_position_embeddings", None) or 512
    vocabulary = PieceVocabulary.of_tokenizer(tokenizer, min(tokenizer.model_max_length, longest))
    return stated_encoder(module, masked=masked), vocabulary
