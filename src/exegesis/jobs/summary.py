"""Summaries of stores, read shard by shard from the columns that they need."""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from exegesis.core.errors import FileError, UsageError, unknown
from exegesis.jobs.aggregates import judged, leading
from exegesis.jobs.rows import EVALUATION, EXPLANATION, INFLUENCE, TEXTS, arrow
from exegesis.jobs.store import SHORT, Shard, Store
from exegesis.results.attribution import LEVELS
from exegesis.results.behaviour.corpus import Agreeing, Answered, CorpusSummary, Moved, Same, Shifted, Slice, Strong
from exegesis.statistics.agreement import compare

if TYPE_CHECKING:
    import pyarrow as pa

COMPARED = 1000  # rows of which scores are compared, for each pair of methods or stores
REASONS = 20  # kinds of failures that are named
NAMING = ("kind", "method", "parameters", "model", "fingerprint", "level", "wish", "setting", "asked")


def corpus(
    store: str | os.PathLike[str],
    *,
    by: str = "target",
    level: str = "word",
    methods: Sequence[str] = (),
    asked: Sequence[str] = (),
    words: Sequence[str] = (),
    against: str | os.PathLike[str] | None = None,
    most: int = 12,
    minimum: int = 5,
) -> CorpusSummary:
    """Summarise a store that ``run`` wrote: its strongest words in each slice, what failed, how far methods agree, what
    measures say of them, and which training texts stand behind the predictions.

    Rows are sliced by the values of the column ``by``, such as ``target``, ``label``, ``gold`` or ``model``. ``level``
    chooses words, or the phrases or clauses that were explained; ``words`` only some of them, in lower case. Only
    ``methods`` and only questions whose hash begins with one of ``asked`` are looked at; if a store holds several
    questions of a kind by a method with the same parameters (two models, two targets, two sets of measures), ``asked``
    must choose. A mean is over all uses in a slice, of at least ``minimum``; ``most`` words, and training texts, of a
    slice are named. Agreement is measured on the first 1,000 rows that two methods share.

    ``against`` is another store, of another model or other texts: the same questions are compared between both, by mean
    scores, by shares of the slices, and row by row where units of texts are the same.

    Shards are read one after the other, and of them only the columns that are needed. Raises FileError if there is no
    store or a shard is damaged, UsageError for an unknown column, level, method or question.
    """
    if by not in TEXTS:
        raise unknown("column", by, TEXTS)
    if level not in LEVELS:
        raise unknown("level", level, LEVELS)
    wanted = frozenset(word.lower() for word in words)
    every = _questions(Store.open(store), methods, asked)
    tallies = {question.key: _tallied(question, by, level, wanted) for question in every}
    here = [question for question in every if question.kind == EXPLANATION]
    strong = [
        Strong(question.name, value, text, total / uses, uses)
        for question in here
        for value, entries in tallies[question.key].by_slice(minimum)
        for text, (total, uses) in sorted(entries.items(), key=lambda item: -abs(item[1][0] / item[1][1]))[:most]
    ]
    failures = sum((tally.failures for tally in tallies.values()), Counter[str]())
    result: dict[str, Any] = {
        "store": str(store), "by": by, "level": level, "minimum": minimum,
        "answered": tuple(question.answered(tallies[question.key]) for question in every),
        "slices": tuple(one for question in here for one in tallies[question.key].slices(question.name)),
        "strong": tuple(strong), "agreeing": tuple(_agreeing(a, b) for a, b in combinations(here, 2)),
        "failures": dict(failures.most_common(REASONS)),
        "judged": tuple(one for question in every if question.kind == EVALUATION
                        for one in judged(question.name, question.shards, by)),
        "leading": tuple(one for question in every if question.kind == INFLUENCE
                         for one in leading(question.name, question.shards, by, most)),
    }  # fmt: skip
    if against is not None:
        there = {one.key: one for one in _questions(Store.open(against), methods, ()) if one.kind == EXPLANATION}
        shared = [(question, there[question.key]) for question in here if question.key in there]
        if not shared:
            raise UsageError(f"{against} answers none of the questions of {store}: the same method, parameters, level "
                             "and target must be in both")  # fmt: skip
        others = {b.key: _tallied(b, by, level, wanted) for _, b in shared}
        pairs = [(a.name, tallies[a.key], others[a.key]) for a, _ in shared]
        result |= {
            "other": str(against), "same": tuple(_same(a, b) for a, b in shared),
            "moved": tuple(one for pair in pairs for one in _moved(*pair, minimum, most)),
            "shifted": tuple(one for pair in pairs for one in _shifted(*pair)),
        }  # fmt: skip
    return CorpusSummary(**result)


@dataclass(frozen=True)
class _Question:
    """The shards of a store that answer one question."""

    named: Mapping[str, str]
    shards: tuple[Shard, ...]
    name: str

    @property
    def kind(self) -> str:
        """Explanation, evaluation or influence; version 1 of the schema knew the first alone."""
        return self.named["kind"] or EXPLANATION

    @property
    def key(self) -> tuple[str, ...]:
        """What the same question has in another store."""
        named = [self.named[name] for name in ("method", "parameters", "level", "wish")]
        return (*named, self.kind, self.named["setting"] or "")

    def answered(self, tally: _Tally) -> Answered:
        named = {
            **self.named,
            "asked": self.named["asked"][:8],
            "fingerprint": self.named["fingerprint"][:8],
            "kind": self.kind,
            "setting": self.named["setting"] or "",
        }
        return Answered(**named, texts=tally.texts, failed=tally.failures.total(),
                        labelled=sum(tally.labelled.values()), right=sum(tally.right.values()))  # fmt: skip


@dataclass
class _Tally:
    """What was counted in the rows of a question, by slice."""

    texts: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    labelled: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    probability: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    sums: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    def by_slice(self, minimum: int) -> Iterator[tuple[str, dict[str, tuple[float, int]]]]:
        """The sum of scores and the uses of each word that has enough of them, slice by slice."""
        found: defaultdict[str, dict[str, tuple[float, int]]] = defaultdict(dict)
        for (value, text), (total, uses) in self.sums.items():
            if uses >= minimum:
                found[value][text] = (total, uses)
        yield from sorted(found.items())

    def slices(self, name: str) -> list[Slice]:
        """The slices, in the order of their values."""
        return [Slice(name, value, rows, self.probability[value] / rows, self.labelled[value], self.right[value])
                for value, rows in sorted(self.rows.items())]  # fmt: skip


def _questions(store: Store, methods: Sequence[str], asked: Sequence[str]) -> list[_Question]:
    """The questions of a store. Raises UsageError if one is not there, or if two would be mixed."""
    by_hash: defaultdict[str, list[Shard]] = defaultdict(list)
    for shard in store.shards():
        by_hash[shard.asked].append(shard)
    known = sorted({shards[0].method for shards in by_hash.values()})
    asked = [start[:SHORT] for start in asked]
    for method in methods:
        if method not in known:
            raise unknown("method of this store", method, known)
    for start in asked:
        if not any(name.startswith(start) for name in by_hash):
            raise unknown("question of this store", start, sorted(name[:8] for name in by_hash))
    found = []
    for name, shards in sorted(by_hash.items(), key=lambda item: (item[1][0].method, item[0])):
        method = shards[0].method
        if (methods and method not in methods) or (asked and not any(name.startswith(start) for start in asked)):
            continue
        _check(shards)
        named = {key: column[0].as_py() for key, column in
                 zip(NAMING, shards[0].read(NAMING).columns, strict=True)}  # fmt: skip
        found.append(_Question(named, tuple(shards), method))
    names = Counter((one.kind, one.name) for one in found)
    found = [one if names[one.kind, one.name] == 1 else
             replace(one, name=f"{one.name} {one.named['asked'][:8]}") for one in found]  # fmt: skip
    alike = Counter((*one.key[:2], one.kind) for one in found)
    double = next((key for key, count in alike.items() if count > 1), None)
    if double is not None:
        told = "; ".join(
            f"{one.named['asked'][:8]} (model {one.named['model']} {one.named['fingerprint'][:8]}, level "
            f"{', '.join(filter(None, (one.named['level'], one.named['wish'], one.named['setting'])))})"
            for one in found if (*one.key[:2], one.kind) == double
        )  # fmt: skip
        raise UsageError(f"{store.folder} holds several questions by {double[1]}: choose one with asked: {told}")
    if not found:
        raise UsageError(f"{store.folder} holds no rows yet: run exegesis run first")
    return found


def _check(shards: Sequence[Shard]) -> None:
    for shard in shards:
        if not shard.whole:
            raise FileError(f"{shard.path} is damaged: the run that wrote it mends it")


def _tallied(question: _Question, by: str, level: str, wanted: frozenset[str]) -> _Tally:
    tally, pc = _Tally(), arrow().compute
    columns = {
        by,
        "text_id",
        "label",
        "gold",
        "probability",
        "error",
    }
    if question.kind == EXPLANATION:
        columns |= {"words", "scores"} if level == "word" else {"spans"}
    for shard in question.shards:
        table = shard.read(sorted(columns)).combine_chunks()
        tally.texts += len(pc.unique(table["text_id"]))
        tally.failures.update(error for error in table["error"].to_pylist() if error)
        table = table.filter(pc.is_null(table["error"])).combine_chunks()
        values = [value or "" for value in table[by].to_pylist()]
        for value, label, gold, probability in zip(
            values, *(table[name].to_pylist() for name in ("label", "gold", "probability")), strict=True
        ):
            tally.rows[value] += 1
            tally.labelled[value] += gold is not None
            tally.right[value] += gold == label
            tally.probability[value] += probability
        sums = _sums(table, values, level, wanted) if question.kind == EXPLANATION else {}
        for (value, text), (total, uses) in sums.items():
            before = tally.sums.get((value, text), (0.0, 0))
            tally.sums[value, text] = (before[0] + total, before[1] + uses)
    return tally


def _sums(
    table: pa.Table, values: Sequence[str], level: str, wanted: frozenset[str]
) -> dict[tuple[str, str], tuple[float, int]]:
    """The sum of the scores, and the uses, of every word or phrase in each slice."""
    pa = arrow()
    pc, listed = pa.compute, table["words" if level == "word" else "spans"]
    if not len(table):
        return {}
    owners, entries = pc.list_parent_indices(listed), pc.list_flatten(listed)
    if level == "word":
        texts, scores = entries, pc.list_flatten(table["scores"])
    else:
        texts, scores = pc.struct_field(entries, "text"), pc.struct_field(entries, "score")
    flat = pa.table({"value": pc.take(pa.array(values), owners), "text": pc.utf8_lower(texts), "score": scores})
    if level != "word":
        flat = flat.filter(pc.equal(pc.struct_field(entries, "level"), level))
    if wanted:
        flat = flat.filter(pc.is_in(flat["text"], pa.array(sorted(wanted))))
    grouped = flat.group_by(["value", "text"]).aggregate([("score", "sum"), ("score", "count")]).to_pydict()
    keys = zip(grouped["value"], grouped["text"], strict=True)
    return dict(zip(keys, zip(grouped["score_sum"], grouped["score_count"], strict=True), strict=True))


def _both(first: _Question, second: _Question) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The rows of two questions about the same text and target, from the units that both hold, at most ``COMPARED``."""
    units, columns = {shard.unit: shard for shard in second.shards}, ("text_id", "target", "label", "words", "scores")
    count = 0
    for shard in first.shards:
        if shard.unit in units and count < COMPARED:
            rows = [{(row["text_id"], row["target"]): row for row in one.read(columns).to_pylist() if row["target"]}
                    for one in (shard, units[shard.unit])]  # fmt: skip
            for key in list(rows[0])[: COMPARED - count]:
                if key in rows[1] and rows[0][key]["words"] == rows[1][key]["words"]:
                    count += 1
                    yield rows[0][key], rows[1][key]


def _compared(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[float, float]:
    found = compare(first["words"], np.array(first["scores"]), np.array(second["scores"]))
    return found.spearman, found.top


def _mean(numbers: Sequence[float]) -> float:
    known = [number for number in numbers if not math.isnan(number)]
    return sum(known) / len(known) if known else math.nan


def _agreeing(first: _Question, second: _Question) -> Agreeing:
    found = [_compared(a, b) for a, b in _both(first, second)]
    return Agreeing(first.name, second.name, _mean([a for a, _ in found]), _mean([b for _, b in found]), len(found))


def _same(here: _Question, there: _Question) -> Same:
    """Rows of the same texts; a text that is predicted otherwise is compared only if the target is the same."""
    ranks, rows, changed = [], 0, 0
    units = {shard.unit: shard for shard in there.shards}
    for shard in here.shards:
        if shard.unit in units:
            labels = [dict(zip(*(one.read([name])[name].to_pylist() for name in ("text_id", "label")), strict=True))
                      for one in (shard, units[shard.unit])]  # fmt: skip
            both = [text for text, label in labels[0].items() if label and labels[1].get(text)]
            rows += len(both)
            changed += sum(labels[0][text] != labels[1][text] for text in both)
    ranks = [_compared(a, b)[0] for a, b in _both(here, there)]
    return Same(here.name, rows, changed, _mean(ranks))


def _moved(name: str, here: _Tally, there: _Tally, minimum: int, most: int) -> list[Moved]:
    """The words whose means differ most, of those that both stores use often enough in a slice."""
    found = [
        Moved(name, value, text, total / uses, there.sums[value, text][0] / there.sums[value, text][1], uses,
              there.sums[value, text][1])
        for (value, text), (total, uses) in here.sums.items()
        if uses >= minimum and there.sums.get((value, text), (0.0, 0))[1] >= minimum
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-abs(one.here - one.there), one.value, one.text))[:most]


def _shifted(name: str, here: _Tally, there: _Tally) -> list[Shifted]:
    sizes = [tally.rows.total() or 1 for tally in (here, there)]
    values = sorted(here.rows.keys() | there.rows.keys())
    return [Shifted(name, value, here.rows[value] / sizes[0], there.rows[value] / sizes[1]) for value in values]
