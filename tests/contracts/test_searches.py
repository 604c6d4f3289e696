"""The contract of every registered search, on a recurrent model, a black box and a model of subwords."""

from __future__ import annotations

import pytest

from exegesis.questions.phrases.catalogue import SEARCHES
from exegesis.testing import check_search
from tests.support.every_model import LENGTHS, built
from tests.support.torch_toys import texts

FEW = {"soc": {"samples": 2, "neighbours": 1}, "scd": {"samples": 2, "neighbours": 1}, "owen": {"samples": 10}}


@pytest.mark.quick
@pytest.mark.parametrize("name", SEARCHES.names)
def test_the_contract_is_kept(name):
    check_search(name, **FEW.get(name, {}))


@pytest.mark.parametrize("name", [name for name in SEARCHES.names if name != "scd"])
def test_the_contract_is_kept_by_a_black_box(name):
    check_search(name, built("black box"), texts(LENGTHS, 1), **FEW.get(name, {}))


@pytest.mark.parametrize("name", ["acd", "hedge", "owen"])
def test_the_contract_is_kept_over_subwords(name):
    check_search(name, built("transformer"), texts(LENGTHS, 1), **FEW.get(name, {}))
