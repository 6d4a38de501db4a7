"""What a request costs, and that a month's budget holds."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import TemporaryError
from geo.providers.sentinel_hub.sensors import LANDSAT, OPTICAL, RADAR
from geo.providers.sentinel_hub.units import Budget, processing_units, stated, units_of


def test_the_rule_as_published() -> None:
    """The documentation's own cases: one unit; the least area; 32 bits; terrain correction; the least request."""
    assert processing_units(512, 512, 3) == 1
    assert processing_units(1024, 1024, 4) == pytest.approx(16 / 3)
    assert processing_units(20, 20, 2) == pytest.approx(0.01 * 2 / 3)
    assert processing_units(512, 512, 3, floats=True) == 2
    assert processing_units(512, 512, 3, factor=2.5) == 2.5
    assert processing_units(1, 1, 1) == 0.005


def test_each_sensor_by_hand() -> None:
    assert units_of(OPTICAL, 512, 512) == pytest.approx(11 / 3)
    assert units_of(RADAR, 512, 512) == pytest.approx(2 / 3 * 2 * 2.5)
    assert units_of(LANDSAT, 512, 512) == pytest.approx(7 / 3)


@given(st.lists(st.floats(0.005, 5), max_size=40), st.floats(0, 20))
def test_no_order_of_requests_exceeds_a_budget(prices: list[float], most: float) -> None:
    budget, spent = Budget(most=most), 0.0
    for price in prices:
        try:
            budget.reserve(price)
        except TemporaryError:
            assert spent + price > most - 1e-6
            continue
        budget.settle(price, price)
        spent += price
    assert budget.spent == pytest.approx(spent)
    assert spent <= most + 1e-6


def test_without_a_budget_all_is_counted_and_nothing_refused() -> None:
    budget = Budget()
    budget.reserve(1e9)
    budget.settle(1e9, 2.0)
    assert budget.spent == 2.0


@pytest.mark.parametrize(
    ("text", "value"), [("0.5", 0.5), ("0", 0.0), ("nan", None), ("-1", None), ("x", None), (None, None), ("inf", None)]
)
def test_a_price_that_cannot_be_one_is_none(text: str | None, value: float | None) -> None:
    assert stated(text) == value


def test_what_was_held_and_not_used_is_free_again() -> None:
    budget = Budget(most=10)
    with suppress(ZeroDivisionError), budget.held(9.0) as used:
        used(3.0, 2.5)
        assert budget.spent == pytest.approx(8.5)
        raise ZeroDivisionError
    assert budget.spent == pytest.approx(2.5)
    with budget.held(1.0) as used:
        used(1.0, 1.5)
        used(0.0, 1.5)  # once more, since the first answer was damaged
    assert budget.spent == pytest.approx(5.5)
    with pytest.raises(TemporaryError), budget.held(4.6):
        raise AssertionError("nothing may be asked")
