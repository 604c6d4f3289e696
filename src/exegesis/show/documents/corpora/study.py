"""The document of studies, each a section, and their rows as a plain table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from exegesis.results.behaviour.amended import Amended
from exegesis.results.behaviour.calibrated import Calibrated
from exegesis.results.behaviour.corpus import CorpusSummary
from exegesis.results.behaviour.faults import Failures, Repair, Substitution, Summary
from exegesis.results.behaviour.mislabels import Mislabels
from exegesis.results.behaviour.said import Said
from exegesis.results.behaviour.study import Study, WordClasses, WordUses
from exegesis.results.behaviour.written import WrittenStudy
from exegesis.results.internals.attention_test import AttentionTest
from exegesis.results.internals.concepts import ConceptStudy
from exegesis.results.internals.excerpts import ConceptPage
from exegesis.results.internals.heads import HeadStudy
from exegesis.results.internals.information_study import InformationStudy
from exegesis.results.internals.links import LinkStudy
from exegesis.results.internals.probes import ProbeStudy
from exegesis.show.document import Chart, Document, Section
from exegesis.show.documents import store
from exegesis.show.documents.amended import amended
from exegesis.show.documents.calibrated import calibrated
from exegesis.show.documents.corpora import classes, faults, swaps
from exegesis.show.documents.mislabels import mislabels
from exegesis.show.documents.networks.attention_test import attention_test
from exegesis.show.documents.networks.concepts import concepts
from exegesis.show.documents.networks.excerpts import excerpts
from exegesis.show.documents.networks.heads import heads
from exegesis.show.documents.networks.information_study import information_study
from exegesis.show.documents.networks.links import links
from exegesis.show.documents.networks.probes import probes
from exegesis.show.documents.written import said, written
from exegesis.show.wording import visible

# a kind of study -> the function that makes its section, and the attribute whose values are the rows of its table
SECTIONS: dict[type[Study], tuple[Callable[[Any], Section], str]] = {
    WordClasses: (classes.word_classes, "classes"),
    WordUses: (classes.word_uses, "uses"),
    Failures: (faults.failures, "causes"),
    Summary: (faults.summary, "words"),
    Substitution: (swaps.substitution, "swaps"),
    Mislabels: (mislabels, "suspects"),
    Amended: (amended, "amendments"),
    Calibrated: (calibrated, "readings"),
    Repair: (swaps.repair, "added"),
    AttentionTest: (attention_test, "tests"),
    CorpusSummary: (store.summary, "strong"),
    HeadStudy: (heads, "relations"),
    LinkStudy: (links, "links"),
    ProbeStudy: (probes, "probed"),
    ConceptStudy: (concepts, "rows"),
    ConceptPage: (excerpts, "concepts"),
    WrittenStudy: (written, "texts"),
    Said: (said, "texts"),
    InformationStudy: (information_study, "rows"),
}


def document(results: Sequence[Study]) -> Document:
    """Studies in order."""
    sections = tuple(SECTIONS[type(study)][0](study) for study in results)
    if len(results) > 1:
        sections = tuple(map(_named, results, sections))
    title = sections[0].title if len(sections) == 1 else "What the model has learned"
    return Document(title, "Study" if len(sections) == 1 else "Studies", sections)


def _named(study: Study, section: Section) -> Section:
    """A section whose charts name the model and the method, so that charts of several studies stand together."""
    asked = getattr(study, "asked", None)
    if asked is None:
        return section
    name = " · ".join(visible(part) for part in (asked.model, asked.name) if part)
    charts = (replace(part, title=f"{name}: {part.title}") for part in section.picture if isinstance(part, Chart))
    return replace(section, picture=tuple(charts))


def records(results: Sequence[Study]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each word, class, cause, swap or new text that a study found; heads before each new kind."""
    head: tuple[str, ...] = ()
    for number, study in enumerate(results):
        asked = getattr(study, "asked", None)
        header = {"example": number, "study": study.kind, "model": asked.model if asked else "",
                 "method": asked.name if asked else ""}  # fmt: skip
        rows = [{**header, **_flat(row)} for row in getattr(study, SECTIONS[type(study)][1])] or [header]
        names = tuple(dict.fromkeys(name for row in rows for name in row))
        if names != head:
            yield from ([()] if head else [])
            yield names
            head = names
        yield from (tuple(row.get(name) for name in names) for row in rows)


def _flat(row: Any) -> dict[str, Any]:
    """The plain fields of a row and of the named tuples in it; of tuples only those of texts."""
    values: dict[str, Any] = {}
    for name, value in zip(row._fields, row, strict=True):
        if hasattr(value, "_fields"):
            values.update(_flat(value))
        elif isinstance(value, tuple) and value and all(isinstance(entry, str) for entry in value):
            values[name] = ", ".join(value)
        elif isinstance(value, bool):
            values[name] = str(value).lower()
        elif isinstance(value, str | int | float) and value == value:  # not NaN
            values[name] = value
    return values
