"""What happened to the money, put into sentences."""

from __future__ import annotations

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
)


def test_the_truth_about_the_money_comes_last() -> None:
    error = SiliconFlowError("It broke.")
    assert str(error) == "It broke."
    error.with_billing(Billing.NOT_SUBMITTED)
    assert str(error) == "It broke. Nothing was submitted, nothing is billed."
