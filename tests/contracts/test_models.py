"""The contract of every kind of model."""

from __future__ import annotations

import pytest

from exegesis.testing import check_model
from tests.support.every_model import LENGTHS, MODELS, built
from tests.support.torch_toys import texts

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("name", MODELS)
def test_the_contract_is_kept(name):
    check_model(built(name), texts(LENGTHS, 1))
