"""Questions asked over a corpus: words and their classes, failures, swaps, repair, attention, heads, concepts."""

from exegesis.study.cards import card
from exegesis.study.failing.amendments import amend
from exegesis.study.failing.calibration import calibrate
from exegesis.study.failing.faults import failures
from exegesis.study.failing.mislabels import mislabels
from exegesis.study.failing.repairs import propose, repair
from exegesis.study.insides.attention import attention_test
from exegesis.study.insides.concepts import concepts
from exegesis.study.insides.information import information
from exegesis.study.insides.links import links
from exegesis.study.insides.probes import probe
from exegesis.study.insides.relations import heads
from exegesis.study.reasons.excerpts import excerpts
from exegesis.study.reasons.rationales import collusion, train_selecting
from exegesis.study.reasons.said import bridge, bridged, said
from exegesis.study.reasons.written import written
from exegesis.study.reports import report
from exegesis.study.summaries import summary
from exegesis.study.vocabulary.candidates import read_synonyms
from exegesis.study.vocabulary.classes import words
from exegesis.study.vocabulary.substitutions import substitute
from exegesis.study.vocabulary.uses import word

__all__ = [
    "amend",
    "attention_test",
    "bridge",
    "bridged",
    "calibrate",
    "card",
    "collusion",
    "concepts",
    "excerpts",
    "failures",
    "heads",
    "information",
    "links",
    "mislabels",
    "probe",
    "propose",
    "read_synonyms",
    "repair",
    "report",
    "said",
    "substitute",
    "summary",
    "train_selecting",
    "word",
    "words",
    "written",
]
