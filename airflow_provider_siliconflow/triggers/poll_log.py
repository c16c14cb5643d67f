"""What a trigger writes into its log, which is the task's: each change of state, and failures now and then."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.polling.decision import describe
from airflow_provider_siliconflow.triggers.base import LOG_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_siliconflow.polling.decision import PollResult

_ENDS = (VideoState.SUCCEED, VideoState.FAILED)


class PollLog:
    """
    The log of the polls of one trigger.

    A change of a video's state is told at once; another position, and a poll that failed, once a minute at most; of
    many videos, how many are in which state.

    :param log: The trigger's.
    :param count: Its videos.
    """

    def __init__(self, log: Any, count: int) -> None:
        self._log = log
        self._count = count
        #: The last state that the service told of each video, what the last poll of it came to, and what was logged.
        self._states: dict[str, str] = {}
        self._polls: dict[str, str] = {}
        self._logged = ""
        self._logged_at = float("-inf")

    def note(self, request_id: str, poll: PollResult, now: float, seconds_left: Callable[[], float]) -> None:
        """
        Log a poll, if it tells anything new.

        :param request_id: The video's request id.
        :param poll: What the poll returned.
        :param now: Seconds, by any clock.
        :param seconds_left: Returns after how many seconds the video is as likely ready as not.
        """
        before = self._states.get(request_id)
        if isinstance(poll, VideoStatus):
            self._states[request_id] = self._polls[request_id] = poll.status_text
        else:
            self._polls[request_id] = type(poll).__name__
        has_changed = before != self._states.get(request_id)
        if self._count == 1:
            self._note_one(request_id, poll, now, seconds_left, has_changed=has_changed)
        else:
            self._note_of_many(request_id, poll, now, has_changed=has_changed and before is not None)

    def _note_one(
        self, request_id: str, poll: PollResult, now: float, seconds_left: Callable[[], float], *, has_changed: bool
    ) -> None:
        text, is_error = describe(poll), not isinstance(poll, VideoStatus)
        is_due = now - self._logged_at >= LOG_INTERVAL and (is_error or text != self._logged)
        if not has_changed and not is_due:
            return
        self._logged, self._logged_at = text, now
        if is_error:
            self._log.warning("Video %s: %s The wait continues.", request_id, text)
        elif isinstance(poll, VideoStatus) and poll.status in _ENDS:
            self._log.info("Video %s: %s", request_id, text)
        else:
            self._log.info("Video %s: %s Expected in about %.0f s.", request_id, text, seconds_left())

    def _note_of_many(self, request_id: str, poll: PollResult, now: float, *, has_changed: bool) -> None:
        is_error, text = not isinstance(poll, VideoStatus), describe(poll)
        if has_changed:
            self._log.info("Video %s: %s", request_id, text)
        is_news = len(self._polls) == self._count or is_error
        if is_news and now - self._logged_at >= LOG_INTERVAL:
            self._logged_at = now
            words = ", ".join(f"{count} {word}" for word, count in Counter(self._polls.values()).most_common())
            self._log.info("%s videos: %s%s", self._count, words, f"; {text}" if is_error else "")
