"""Colours: contrast, growth with the score, and what colour-blind readers see."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import numpy as np
import pytest

from exegesis.core.errors import UsageError
from exegesis.show.palette import (
    DARK,
    LIGHT,
    PALETTES,
    colour_of,
    contrast,
    hue,
    linear,
    palette_named,
    stepped,
)

SHARES = [k / 50 for k in range(-50, 51)]
EVERY = [(name, dark) for name in PALETTES for dark in (False, True)]
# Machado, Oliveira, Fernandes (2009), severity 1, on linear RGB
BLIND = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]])


def seen(colour: str, kind: str) -> np.ndarray:
    """CIELAB of a colour as a reader sees it."""
    rgb = np.clip(np.asarray(BLIND[kind]) @ np.array(linear(colour)), 0, 1)
    ratio = XYZ @ rgb / (0.95047, 1, 1.08883)
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def far(first: str, second: str, kind: str) -> float:
    return float(np.linalg.norm(seen(first, kind) - seen(second, kind)))


def test_contrast_of_known_pairs():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)


@pytest.mark.parametrize(("name", "dark"), EVERY)
@pytest.mark.parametrize("signed", [True, False])
def test_text_on_every_cell_meets_aa(name, dark, signed):
    for share in SHARES:
        for paint in (
            PALETTES[name].paint(share, dark=dark, signed=signed),
            stepped(PALETTES[name], share, dark=dark, signed=signed),
        ):
            assert contrast(paint.ground, paint.ink) >= 4.5, (share, paint)


@pytest.mark.parametrize("ground", [LIGHT, DARK])
def test_text_around_the_cells_meets_aa(ground):
    assert contrast(ground.paper, ground.ink) >= 7
    assert contrast(ground.paper, ground.muted) >= 4.5


@pytest.mark.parametrize(("ground", "dark"), [(LIGHT, False), (DARK, True)])
def test_methods_have_colours_that_differ_and_show_on_the_ground(ground, dark):
    hues = [hue(number, dark) for number in range(8)]
    assert all(contrast(ground.paper, colour) >= 3 for colour in hues)
    assert min(far(a, b, "none") for a, b in combinations([*hues, hue(None, dark)], 2)) > 15
    assert hue(8, dark) == hues[0]


@pytest.mark.parametrize(("name", "dark"), EVERY)
@pytest.mark.parametrize("kind", BLIND)
def test_for_and_against_stay_apart_for_every_reader(name, dark, kind):
    palette = PALETTES[name]
    for share, apart in ((1.0, 20), (0.5, 9)):
        plus, minus = palette.paint(share, dark=dark).ground, palette.paint(-share, dark=dark).ground
        assert far(plus, minus, kind) > apart


@pytest.mark.parametrize(("name", "dark"), EVERY)
@pytest.mark.parametrize("sign", [1, -1])
def test_colour_grows_with_the_score(name, dark, sign):
    paper = PALETTES[name].paint(0, dark=dark).ground
    away = [far(PALETTES[name].paint(sign * k / 10, dark=dark).ground, paper, "none") for k in range(11)]
    assert away == sorted(away)
    assert away[0] == 0
    assert min(b - a for a, b in pairwise(away)) > 1


def test_shares_are_cut_and_nan_is_nothing():
    palette = palette_named("green-red")
    assert palette.paint(7.0) == palette.paint(1.0)
    assert palette.paint(math.nan).ground == palette.paint(0.0).ground == LIGHT.paper
    assert palette.paint(0.5, signed=False) not in (palette.paint(0.5), palette.paint(-0.5))


def test_the_cube_is_drawn_in_its_own_colours():
    assert colour_of(16) == "#000000"
    assert colour_of(231) == "#ffffff"
    assert colour_of(203) == "#ff5f5f"


def test_an_unknown_palette_is_refused():
    with pytest.raises(UsageError, match="did you mean 'green-red'"):
        palette_named("green-rd")
