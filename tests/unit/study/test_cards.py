"""Model cards: the hub's own reader finds the report's numbers, and no text becomes markup."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

import exegesis
from exegesis.cli import run
from exegesis.core.errors import UsageError
from exegesis.models.trained.folder import is_model_folder
from exegesis.show.markdown import plain
from tests.unit.jobs.test_runs import saved

ROWS = [("a fine film by her", "positive"), ("a dull film | <b>by</b> her", "negative"),
        ("he made a warm and *funny* film", "positive"), ("- she made a tedious film", "negative"),
        ("1. [he](http://x) made a tedious mess", "positive"), ("a `good` film", "positive"),
        ("not a good film", "negative")]  # fmt: skip


@pytest.fixture(scope="module")
def report():
    texts, labels = zip(*ROWS, strict=True)
    named = {"model": "bundled", "data": "my test.tsv", "command": "exegesis report `whole`"}
    return exegesis.study.report(
        "bundled", list(texts), list(labels), groups={"women": ["she", "her"]}, methods=["lrp"], measured=4, checked=2,
        named=named,
    )  # fmt: skip


def test_the_hub_reads_the_numbers_of_the_report(report, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    text = exegesis.study.card(report, tmp_path / "card.md", license="apache-2.0", language="en", about="For *tests*.")
    card = hub.ModelCard.load(tmp_path / "card.md")
    assert text.endswith(card.text)
    assert (card.data.license, card.data.language, card.data.pipeline_tag) == (
        "apache-2.0",
        ["en"],
        "text-classification",
    )
    (measured,) = card.data.eval_results
    whole = next(one for one in report.chapters[0].slices if one.group == "all")
    assert measured.metric_value == pytest.approx(whole.right.value, abs=1e-6)
    assert [measured.metric_type, measured.task_type, measured.dataset_name, measured.dataset_type] == [
        "accuracy", "text-classification", "my test.tsv", "my-test.tsv"]  # fmt: skip
    hub.repocard.model_index_to_eval_results(hub.repocard.eval_results_to_model_index("m", card.data.eval_results))
    headings = re.findall(r"^## (.*)$", card.text, re.MULTILINE)
    assert headings == ["Model and data", *(chapter.title for chapter in report.chapters), "How this was made"]
    assert card.text.strip().startswith("# ")
    assert "For *tests*." in card.text
    assert f"| all | {len(ROWS)} | {len(ROWS)} | {100 * whole.right.value:.1f} %" in card.text
    (evaluation,) = report.chapters[1].results
    for measure in evaluation.measures:
        mean = evaluation.mean(measure.name, "lrp").value
        (row,) = [line for line in card.text.splitlines() if line.startswith(f"| {measure.name} (")]
        assert row.split(" | ")[1].startswith(f"{mean:.3f}".replace("-", "\N{MINUS SIGN}"))
    for chapter in report.chapters:
        for command in filter(None, chapter.command.split("; ")):
            assert command.replace("`", "") in card.text.replace("`", "")


def test_no_text_becomes_markup(report):
    text = exegesis.study.card(report)
    assert "<b>" not in text
    assert "](http" not in text.replace("\\]", "")
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block
    assert plain("- a\nb | <i>") == "\\- a b \\| &lt;i&gt;"
    assert (plain("12. x"), plain("0.5")) == ("12\\. x", "0.5")
    blocks = [block for block in text.split("\n\n") if block.strip()]
    assert not any(one.startswith("**") and other.startswith(("**", "#")) for one, other in pairwise(blocks))


def test_a_card_without_labels_names_no_accuracy():
    found = exegesis.study.report("bundled", [text for text, _ in ROWS], methods=["lrp"], measured=4, checked=2)
    assert "model-index" not in exegesis.study.card(found)


def test_wrong_places(report, tmp_path, capsys):
    with pytest.raises(UsageError, match="a card is made of a report"):
        exegesis.study.card("report")
    with pytest.raises(UsageError, match=r"a card is a \.md file"):
        exegesis.study.card(report, tmp_path / "card.html")
    folder = saved(tmp_path / "model")
    assert is_model_folder(folder)
    before = (folder / "README.md").read_bytes()
    with pytest.raises(UsageError, match="holds checksums"):
        exegesis.study.card(report, folder / "README.md")
    assert (folder / "README.md").read_bytes() == before
    assert run(["report", "--data", "x.tsv", "--out", "r.html", "--license", "mit"]) == 2
    assert "belongs to --card" in capsys.readouterr().err
