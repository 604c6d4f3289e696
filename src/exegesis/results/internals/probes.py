"""What can be read off the hidden states of a model, layer by layer: by classifiers, and as distances in trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.results.behaviour.study import Asked, Study


class Probed(NamedTuple):
    """A property of words or sentences, by ``name``, that a probe reads off the states of a layer.

    ``accuracy`` is the share of right labels on sentences that the probe was not fitted to, with its 95 % interval over
    sentences (``low``, ``high``); ``control`` that of the same probe on the control task, in which every word type has
    a random label of the same frequencies (Hewitt and Liang 2019; for a sentence its first word decides), and
    ``apart_low`` to ``apart_high`` the interval of their difference, the selectivity. ``untrained`` is the accuracy on
    states of the same model with shuffled weights, ``majority`` that of the most frequent label. ``bits`` is the online
    code of a label (Voita and Titov 2020), of a linear probe only, ``control_bits`` that of the control task,
    ``uniform`` log2 of the number of classes. Of some hundred examples a code is longer than it would be of many (see
    ``mech.probing.description``), the control task's as well: hold ``bits`` against ``control_bits`` there. NaN stands
    for what was not measured.
    """

    name: str
    level: str
    probe: str
    layer: str
    classes: int
    examples: int
    accuracy: float
    low: float
    high: float
    control: float
    apart_low: float
    apart_high: float
    untrained: float
    majority: float
    bits: float
    control_bits: float
    uniform: float

    @property
    def selectivity(self) -> float:
        """The accuracy less that of the control task."""
        return self.accuracy - self.control

    @property
    def compression(self) -> float:
        """The bits of labels without states over those with them."""
        return self.uniform / self.bits if self.bits else float("nan")


class Structure(NamedTuple):
    """What a structural probe finds at a layer (Hewitt and Manning 2019).

    ``kind`` is ``distance`` or ``depth``. ``accuracy`` is the share of a tree's arcs that are in the smallest spanning
    tree of the distances, or of sentences whose root has the smallest depth, punctuation left out, with its interval
    over sentences; ``spearman`` the mean correlation of rank over sentences, averaged over lengths from 5 to 50.
    ``baseline`` joins each word with the next one, or takes the first word for the root. ``untrained`` and
    ``untrained_spearman`` are those of the model with shuffled weights.
    """

    kind: str
    layer: str
    sentences: int
    accuracy: float
    low: float
    high: float
    spearman: float
    untrained: float
    untrained_spearman: float
    baseline: float


@dataclass(frozen=True, eq=False)
class ProbeStudy(Study):
    """What the layers of a model hold of words and sentences, beside controls (see ``exegesis.study.probe``).

    ``fitted`` and ``held`` are the sentences that probes were fitted to, and those that they were tried on.
    """

    asked: Asked
    probed: tuple[Probed, ...]
    structures: tuple[Structure, ...]
    fitted: int
    held: int

    kind: ClassVar[str] = "probe"

    def of(self, name: str, layer: str, probe: str = "linear") -> Probed:
        """The row of a property at a layer. Raises KeyError for one that is not there."""
        return {(row.name, row.layer, row.probe): row for row in self.probed}[name, layer, probe]
