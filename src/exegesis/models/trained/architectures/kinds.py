"""The kinds of networks that are trained here, and the network that a config describes."""

from __future__ import annotations

from exegesis.models.concepts.conrat import Conrat
from exegesis.models.concepts.educe import Educe
from exegesis.models.concepts.shape import EDUCE, ConceptConfig
from exegesis.models.rationales.masked import MaskedNetwork
from exegesis.models.rationales.network import RationaleNetwork
from exegesis.models.rationales.shape import RationaleConfig
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
        return Esim(config) if config.pairs else RecurrentClassifier(config)
    raise TypeError(f"there is no network for a {type(config).__name__}")
