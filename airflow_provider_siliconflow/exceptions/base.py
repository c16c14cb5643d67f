"""The base of every error, and what is wrong with a task or a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from airflow_provider_siliconflow._airflow.names import AirflowException, AirflowFailException
from airflow_provider_siliconflow.billing import sentence

if TYPE_CHECKING:
    from airflow_provider_siliconflow.billing import Billing, NextStep


class SiliconFlowError(AirflowException):
    """
    Base of every error of this provider.

    :param message: What happened.
    :param billing: What is known of the bill; None where no money is involved.
    :param request_id: The request id of the video it is about, where there is one.
    :param next_step: What a retry or a clear does about the video.
    :param price: What one video costs, in words.
    """

    def __init__(
        self,
        message: str = "",
        *,
        billing: Billing | None = None,
        request_id: str | None = None,
        next_step: NextStep | None = None,
        price: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.billing = billing
        self.request_id = request_id
        self.next_step = next_step
        self.price = price

    def __str__(self) -> str:
        ids = (self.request_id,) if self.request_id else ()
        told = sentence(self.billing, request_ids=ids, next_step=self.next_step, price=self.price)
        return " ".join(part for part in (self._description(), told) if part)

    def with_billing(
        self,
        billing: Billing | None,
        *,
        request_id: str | None = None,
        next_step: NextStep | None = None,
        price: str = "",
    ) -> Self:
        """
        Set what is known of the bill where the error was raised by code that could not know it.

        :param billing: What is known of the bill.
        :param request_id: The video's request id, where there is one.
        :param next_step: What a retry or a clear does about the video.
        :param price: What one video costs, in words.
        :return: The error itself.
        """
        self.billing, self.request_id, self.next_step, self.price = billing, request_id, next_step, price
        return self

    def _description(self) -> str:
        return self.message


class InvalidArgumentError(SiliconFlowError, AirflowFailException):
    """Raised when an argument of a task cannot be understood."""


class SiliconFlowConfigError(SiliconFlowError, AirflowFailException):
    """Raised when an Airflow connection has no key, or a host or field that cannot be read."""
