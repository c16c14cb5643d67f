from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.prices import PRICES, Price, price_of, read_prices

T2V, I2V = "Wan-AI/Wan2.2-T2V-A14B", "Wan-AI/Wan2.2-I2V-A14B"


@pytest.mark.parametrize("model", [T2V, I2V])
@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("api.siliconflow.cn", "2.00 CNY (estimated)"),
        ("api.siliconflow.com", "0.29 USD (estimated)"),
        ("api.ap.siliconflow.com", "0.29 USD (estimated)"),
        ("localhost", "the price of a video"),
    ],
)
def test_the_table_has_a_price_by_host_and_model(host: str, model: str, told: str) -> None:
    assert str(price_of(host, model, {})) == told


def test_each_price_of_the_table_has_its_currency_date_and_source() -> None:
    assert all(price.amount and price.currency and price.as_of and price.source for price in PRICES.values())
    assert (
        price_of("api.siliconflow.cn", T2V, {}).described
        == "2.00 CNY (estimated), by the vendor's model pages, 2026-07"
    )


def test_a_model_that_no_table_knows_has_no_price() -> None:
    assert price_of("api.siliconflow.cn", "Wan-AI/Wan9", {}) == Price()
    assert price_of("api.siliconflow.cn", None, {}).of(3) == ""


def test_the_users_price_of_a_model_counts_before_that_of_all_and_that_of_the_table() -> None:
    own = read_prices({T2V: "1.5 CNY", "": "3 CNY"})
    assert [price_of("api.siliconflow.cn", model, own).amount for model in (T2V, I2V, "other", None)] == [1.5, 3, 3, 3]
    assert price_of("api.siliconflow.cn", I2V, read_prices({T2V: "1.5 CNY"})).amount == 2.0


@pytest.mark.parametrize(
    ("words", "amount", "currency"),
    [("2.00 CNY", 2.0, "CNY"), (" 0.29 USD", 0.29, "USD"), ("¥2", 2.0, "¥"), ("2", 2.0, None), (2.5, 2.5, None)],
)
def test_a_price_is_an_amount_and_a_currency(words: Any, amount: float, currency: str | None) -> None:
    assert read_prices(words) == {"": Price(amount, currency, source="the connection's field price")}


def test_prices_by_model_may_be_json() -> None:
    assert read_prices(f'{{"{T2V}": "1.50 CNY"}}') == read_prices({T2V: "1.50 CNY"})


@pytest.mark.parametrize("words", ["cheap", "2 or 3 CNY", "-2 CNY", "", True, "nan", "{", ["2 CNY"], {T2V: "cheap"}])
def test_what_is_no_price_is_refused(words: Any) -> None:
    with pytest.raises(ValueError, match=r"amount with its currency|Expecting"):
        read_prices(words)


@pytest.mark.parametrize(
    ("price", "one", "three"),
    [
        (Price(2.0, "CNY"), "2.00 CNY (estimated)", "estimated 6.00 CNY"),
        (Price(0.004, "USD"), "0.004 USD (estimated)", "estimated 0.012 USD"),
        (Price(2.0), "2.00 (estimated)", "estimated 6.00"),
        (Price(), "the price of a video", ""),
    ],
)
def test_every_figure_is_told_as_estimated(price: Price, one: str, three: str) -> None:
    assert (str(price), price.of(3)) == (one, three)


def test_what_is_not_billed_costs_nothing_even_where_no_price_is_known() -> None:
    assert Price().facts(Billing.REJECTED)["estimated_cost"] == 0.0
    assert Price().facts(Billing.UNKNOWN)["estimated_cost"] is None
