"""The kinds of networks that are trained here, and the network that a config describes."""

from __future__ import annotations

from exegesis.models.concept_models.conrat import Conrat
from exegesis.models.concept_models.educe import Educe
from exegesis.models.concept_models.shape import EDUCE, ConceptConfig
from exegesis.models.rationale_models.masked import MaskedNetwork
from exegesis.models.rationale_models.network import RationaleNetwork
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.trained.architectures.aspects import AspectClassifier
from exegesis.models.trained.architectures.config import (
    ConvolutionalConfig,
    LandmarkConfig,
    NetworkConfig,
    RecurrentConfig,
    TransformerConfig,
)
from exegesis.models.trained.architectures.convolutional import ConvolutionalClassifier
from exegesis.models.trained.architectures.esim import Esim
from exegesis.models.trained.architectures.landmarks import LandmarkClassifier
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.models.trained.architectures.transformer import TransformerClassifier

KINDS = (RecurrentConfig, TransformerConfig, ConvolutionalConfig, RationaleConfig, ConceptConfig, LandmarkConfig)
FAMILIES: dict[str, type[NetworkConfig]] = {kind.family: kind for kind in KINDS}


def network(config: NetworkConfig) -> TextClassifier:
    """The module of a config, with fresh weights."""
    if isinstance(config, RationaleConfig):
        return MaskedNetwork(config) if config.base else RationaleNetwork(config)
    if isinstance(config, ConceptConfig):
        return Educe(config) if config.form == EDUCE else Conrat(config)
    if isinstance(config, TransformerConfig):
        return TransformerClassifier(config)
    if isinstance(config, ConvolutionalConfig):
        return ConvolutionalClassifier(config)
    if isinstance(config, LandmarkConfig):
        return LandmarkClassifier(config)
    if isinstance(config, RecurrentConfig):
        return {"esim": Esim, "aspect": AspectClassifier}.get(config.readout, RecurrentClassifier)(config)
    raise TypeError(f"there is no network for a {type(config).__name__}")
