"""Shares of a budget: none of them may outlive, or fail to hear, the clock that it is a share of."""

from __future__ import annotations

import math

from solvers.clock import Clock


def test_a_share_hears_an_interruption_of_the_whole():
    whole = Clock()
    share = whole.share(0.3).share(0.5)
    assert not share.expired
    whole.interrupt()
    assert share.interrupted
    assert share.expired
    assert share.left_s == 0


def test_the_whole_does_not_hear_an_interruption_of_a_share():
    whole = Clock()
    share = whole.share(0.3)
    share.interrupt()
    assert share.expired
    assert not whole.expired


def test_a_share_of_no_limit_is_no_limit_and_a_share_of_nothing_is_nothing():
    assert math.isinf(Clock().share(0.3).left_s)
    assert Clock(0.0).share(0.3).expired


def test_a_share_is_a_part_of_what_is_left():
    assert 0 < Clock(1000.0).share(0.25).left_s <= 250.0
