"""Each error has a row on its page, with what it cost, what to do, and whether Airflow retries it."""

from __future__ import annotations

import inspect

import pytest

from airflow_provider_siliconflow import exceptions
from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.billing import Billing
from tests.unit.docs.pages import by_name, table, text_of

PAGE = "errors.md"
ERRORS = {
    name: error
    for name, error in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(error, exceptions.SiliconFlowError)
}
#: Named below the table: nothing raises them.
BASES = {"SiliconFlowError", "SiliconFlowAPIError"}


def test_errors_are_on_the_page_and_no_other() -> None:
    assert set(by_name(table(PAGE, "By class"))) == set(ERRORS) - BASES
    assert all(f"`{base}`" in text_of(PAGE).rpartition("|")[2] for base in BASES)


@pytest.mark.parametrize("name", sorted(set(ERRORS) - BASES))
def test_a_row_says_what_to_do_and_whether_airflow_retries(name: str) -> None:
    _, means, cost, what_to_do, retried = by_name(table(PAGE, "By class"))[name].cells
    assert means
    assert cost
    assert what_to_do
    assert retried == ("no" if issubclass(ERRORS[name], AirflowFailException) else "yes")


@pytest.mark.parametrize("name", sorted(set(ERRORS) - BASES))
def test_a_hint_is_on_the_page_in_its_own_words(name: str) -> None:
    hint = getattr(ERRORS[name], "hint", "").removeprefix("- ")
    assert hint in by_name(table(PAGE, "By class"))[name].cells[3]


def test_values_of_billing_are_on_the_page_and_no_other() -> None:
    assert list(by_name(table(PAGE, "Errors"))) == [billing.value for billing in Billing]
