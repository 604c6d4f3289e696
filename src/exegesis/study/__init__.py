"""Questions asked over a corpus: words and their classes, failures, swaps, repair, attention, heads, concepts."""

from exegesis.study.amendments import amend
from exegesis.study.attention import attention_test
from exegesis.study.calibration import calibrate
from exegesis.study.candidates import read_synonyms
from exegesis.study.classes import words
from exegesis.study.concepts import concepts
from exegesis.study.excerpts import excerpts
from exegesis.study.faults import failures
from exegesis.study.information import information
from exegesis.study.mislabels import mislabels
from exegesis.study.probes import probe
from exegesis.study.rationales import collusion, train_selecting
from exegesis.study.relations import heads
from exegesis.study.repairs import propose, repair
from exegesis.study.reports import report
from exegesis.study.substitutions import substitute
from exegesis.study.summaries import summary
from exegesis.study.uses import word
from exegesis.study.written import written

__all__ = [
    "amend",
    "attention_test",
    "calibrate",
    "collusion",
    "concepts",
    "excerpts",
    "failures",
    "heads",
    "information",
    "mislabels",
    "probe",
    "propose",
    "read_synonyms",
    "repair",
    "report",
    "substitute",
    "summary",
    "train_selecting",
    "word",
    "words",
    "written",
]
