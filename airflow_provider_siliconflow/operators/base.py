"""What the operators that pay for videos have in common: the connection, and what the user said about paying again."""

from __future__ import annotations

import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_siliconflow import metrics
from airflow_provider_siliconflow._airflow.callbacks import call_on_success
from airflow_provider_siliconflow._airflow.names import conf
from airflow_provider_siliconflow._airflow.releases import clear_deletes_state
from airflow_provider_siliconflow._airflow.resume import ResumeMixin
from airflow_provider_siliconflow.billing import NextStep
from airflow_provider_siliconflow.exceptions import InvalidArgumentError, SiliconFlowError, SubmitRejectedError
from airflow_provider_siliconflow.jobs.arguments import default_of, flag, one_of, seconds
from airflow_provider_siliconflow.jobs.hook_mixin import HookMixin
from airflow_provider_siliconflow.jobs.reattach import OnUnknownSubmit, ResubmitPolicy
from airflow_provider_siliconflow.jobs.spending import price_of
from airflow_provider_siliconflow.jobs.store import find_stores
from airflow_provider_siliconflow.jobs.video_link import VideoLink
from airflow_provider_siliconflow.operators.prompt_files import PromptFilesMixin
from airflow_provider_siliconflow.spend_limit import read_spend_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_provider_siliconflow.jobs.batch_list import ListStore
    from airflow_provider_siliconflow.jobs.record import SubmitStore
    from airflow_provider_siliconflow.jobs.returned import ReturnedStore
    from airflow_provider_siliconflow.jobs.store import FindStores
    from airflow_provider_siliconflow.spend_limit import SpendLimit

#: Seconds of back-off after a rejected submit: at least (why: see MIN_DEFERRAL_SECONDS of the triggers), at most.
_MIN_BACKOFF, _MAX_BACKOFF = 10.0, 300.0
#: Seconds beyond the trigger's own time after which Airflow may time the deferral out.
DEFER_TIMEOUT_SLACK = 300.0


class PaidVideoOperator(ResumeMixin, PromptFilesMixin, HookMixin, BaseOperator):
    """
    Base of the operators that submit videos.

    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    :param deferrable: Wait in the triggerer, or else in the worker; by default as ``[operators] default_deferrable``
        says.
    :param submit_timeout: Seconds, or a ``timedelta``, for which a submit that is rejected temporarily is tried again.
    :param on_unknown_submit: What a retry does where submitting may pay for the same video twice: ``fail``, or
        ``resubmit``.
    :param reuse_on_clear: Whether a cleared task re-attaches to the video it has paid for; by default it submits
        another.
    :param spend_limit: How many videos the tasks of the DAG may submit: a
        :class:`~airflow_provider_siliconflow.spend_limit.SpendLimit` or a mapping of its fields; besides the limit of
        the connection.
    """

    operator_extra_links = (VideoLink(),)
    #: How each argument is checked that is not part of a request.
    argument_checks: ClassVar[Mapping[str, Callable[[str, Any], object]]] = {
        "deferrable": flag,
        "submit_timeout": seconds,
        "on_unknown_submit": partial(one_of, allowed=("fail", "resubmit")),
        "reuse_on_clear": flag,
        "spend_limit": read_spend_limit,
    }

    def __init__(
        self,
        *,
        siliconflow_conn_id: str = "siliconflow_default",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        submit_timeout: timedelta | float = 3600,
        on_unknown_submit: OnUnknownSubmit = "fail",
        reuse_on_clear: bool = False,
        spend_limit: SpendLimit | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.siliconflow_conn_id = siliconflow_conn_id
        self.deferrable = deferrable
        self.submit_timeout = submit_timeout
        self.on_unknown_submit = on_unknown_submit
        self.reuse_on_clear = reuse_on_clear
        self.spend_limit = spend_limit

    def check_arguments(self) -> None:
        """
        Check every argument that is not part of a request, before any money is spent.

        :raises InvalidArgumentError: for the first that cannot be understood.
        """
        for name, check in self.argument_checks.items():
            check(name, getattr(self, name))

    def check_resumed_arguments(self) -> str:
        """
        Check the arguments of a task that may have paid already, for a DAG deployed meanwhile may have changed them.

        Where one cannot be understood, all that say how to wait and publish count as not given: none of them is worth a
        paid video.

        :return: What is wrong with them; empty if nothing is.
        """
        try:
            self.check_arguments()
        except InvalidArgumentError as error:
            self.log.error("%s This try continues with the defaults, for the videos it has paid for.", error.message)
            # A label is never dropped: nothing is published without the one that was asked for.
            for name in self.argument_checks.keys() - {"video_label"}:
                setattr(self, name, default_of(type(self), name))
            return error.message
        return ""

    def policy(self, model: str | None = None) -> ResubmitPolicy:
        """
        Return what the user said about paying again.

        :param model: Of the video, for its price.
        :return: The policy.
        """
        price = price_of(self.hook, model)
        return ResubmitPolicy(self.on_unknown_submit, self.reuse_on_clear, price, clear_deletes_state())

    def find_stores(self, context: Context) -> FindStores:
        """
        Return what finds the stores of this task instance.

        :param context: The task's context.
        :return: A function that returns the stores.
        """
        return partial(find_stores, context, self.hook, reuse_on_clear=self.reuse_on_clear)

    def sweep_on_success(self, store: SubmitStore | ListStore | ReturnedStore) -> None:
        """
        Have what is kept deleted once Airflow knows that the task has succeeded: from then on no retry needs it.

        :param store: What this task keeps.
        """
        if self.reuse_on_clear:
            return

        def sweep(_: Context) -> None:
            try:
                store.sweep()
            except Exception:
                self.log.warning("The task is done, but its records cannot be deleted.", exc_info=True)

        call_on_success(self, sweep)

    def give_up_or_wait(self, error: SiliconFlowError, *, since: float, rejections: int) -> float:
        """
        Return after how many seconds a submit that was rejected temporarily is tried again.

        :param error: The last rejection.
        :param since: Epoch seconds of the first try.
        :param rejections: Rejections so far.
        :return: Seconds.
        :raises SubmitRejectedError: if that would be after ``submit_timeout``.
        """
        asked = getattr(error, "retry_after", None)
        wait = backoff(rejections, asked)
        timeout, now = seconds("submit_timeout", self.submit_timeout), time.time()
        if now + wait <= since + timeout:
            self.log.warning("Rejected temporarily: %s Tries again in %.0f s.", error, wait)
            metrics.submit_retried()
            return wait
        reason = "" if asked is None else f"; the service asks to wait {asked:.0f} s"
        billing, told = error.billing, error.with_billing(None)
        raise SubmitRejectedError(
            f"The submit was rejected {rejections} times in {now - since:.0f} s (submit_timeout is {timeout:.0f} s"
            f"{reason}); the last time: {told}",
            billing=billing,
            next_step=NextStep.SUBMIT,
        ) from error


def backoff(rejections: int, asked: float | None) -> float:
    """
    Return the seconds to wait after a rejected submit.

    :param rejections: Rejections so far.
    :param asked: Seconds the service asked for, where it did.
    :return: Seconds.
    """
    if asked is not None:
        return max(asked, _MIN_BACKOFF)
    pause = min(_MIN_BACKOFF * 2.0 ** min(rejections - 1, 10), _MAX_BACKOFF)
    return max(_MIN_BACKOFF, random.uniform(0.5, 1.5) * pause)
