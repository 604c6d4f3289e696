"""The kinds of networks that are trained here, and the network that a config describes, loaded when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exegesis.models.trained.architectures.config import (
    ConvolutionalConfig,
    LandmarkConfig,
    NetworkConfig,
    RecurrentConfig,
    TransformerConfig,
)
from exegesis.models.trained.architectures.network import TextClassifier

if TYPE_CHECKING:
    from exegesis.models.rationale_models.shape import RationaleConfig

FAMILIES = ("recurrent", "transformer", "convolutional", "rationale", "concepts", "landmark")


def config_of(family: str) -> type[NetworkConfig]:
    """The class of the configs of a family."""
    if family == "rationale":
        from exegesis.models.rationale_models.shape import RationaleConfig

        return RationaleConfig
    if family == "concepts":
        from exegesis.models.concept_models.shape import ConceptConfig

        return ConceptConfig
    kinds = (RecurrentConfig, TransformerConfig, ConvolutionalConfig, LandmarkConfig)
    return next(kind for kind in kinds if kind.family == family)


def network(config: NetworkConfig) -> TextClassifier:
    """The module of a config, with fresh weights."""
    if isinstance(config, RecurrentConfig):
        return _recurrent(config)
    if isinstance(config, TransformerConfig):
        from exegesis.models.trained.architectures.transformer import TransformerClassifier

        return TransformerClassifier(config)
    if isinstance(config, ConvolutionalConfig):
        from exegesis.models.trained.architectures.convolutional import ConvolutionalClassifier

        return ConvolutionalClassifier(config)
    if isinstance(config, LandmarkConfig):
        from exegesis.models.trained.architectures.landmarks import LandmarkClassifier

        return LandmarkClassifier(config)
    return _explaining(config)


def _recurrent(config: RecurrentConfig) -> TextClassifier:
    """The network of a config of recurrent layers; those of pairs have a class of their own."""
    if config.readout == "esim":
        from exegesis.models.trained.architectures.esim import Esim

        return Esim(config)
    if config.readout == "aspect":
        from exegesis.models.trained.architectures.aspects import AspectClassifier

        return AspectClassifier(config)
    if config.readout == "decoder":
        from exegesis.models.trained.architectures.encoder_decoder import EncoderDecoder

        return EncoderDecoder(config)
    from exegesis.models.trained.architectures.recurrent import RecurrentClassifier

    return RecurrentClassifier(config)


def _explaining(config: NetworkConfig) -> TextClassifier:
    """The network of a config that shows what it reads: words that it selects, or concepts."""
    from exegesis.models.concept_models.shape import EDUCE, ConceptConfig
    from exegesis.models.rationale_models.shape import RationaleConfig

    if isinstance(config, RationaleConfig):
        return _selecting(config)
    if isinstance(config, ConceptConfig):
        from exegesis.models.concept_models.conrat import Conrat
        from exegesis.models.concept_models.educe import Educe

        return Educe(config) if config.form == EDUCE else Conrat(config)
    raise TypeError(f"there is no network for a {type(config).__name__}")


def _selecting(config: RationaleConfig) -> TextClassifier:
    """The network of a config that selects what it reads."""
    from exegesis.models.rationale_models.shape import HF

    if HF in (config.base, config.encoder):
        from exegesis.models.rationale_models.fine_tuned import FineTunedNetwork, MaskedFineTuned

        return MaskedFineTuned(config) if config.base else FineTunedNetwork(config)
    from exegesis.models.rationale_models.masked import MaskedNetwork
    from exegesis.models.rationale_models.network import RationaleNetwork

    return MaskedNetwork(config) if config.base else RationaleNetwork(config)
