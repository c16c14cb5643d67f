"""Every switch of the sandbox, declared once: the command line, its help and its checks are made from this."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_siliconflow.client.models import KNOWN_MODELS, LARGE_IMAGE
from airflow_provider_siliconflow.sandbox.faults import Fault  # noqa: TC001  # the command line reads the types

KEY_START = "sk-"
KEY_LENGTH = len(KEY_START) + 48
LOST_ID_RESPONSES = ("404", "400", "500", "failed", "no-video")


def _switch(default: Any, text: str, *choices: Any) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices or None})


def _key(name: str) -> str:
    """Make a key of the real form (``sk-`` and 48 characters) that nobody takes for a real one."""
    return f"{KEY_START}sandbox{name}".ljust(KEY_LENGTH, "0")


@dataclass(frozen=True)
class Settings:
    """
    All switches; ``python -m airflow_provider_siliconflow.sandbox --help`` lists them with their meaning.

    :raises ValueError: If a switch has a value that makes no sense.
    """

    speed: float = _switch(1.0, "divide the times of all videos by this")
    seed: int = _switch(0, "seed of all chance: times, failures, faults")
    min: float = _switch(60.0, "seconds the fastest video takes, before --speed")
    median: float = _switch(240.0, "median of the seconds a video takes, before --speed")
    max: float = _switch(540.0, "seconds the slowest video takes, before --speed")
    slots: int = _switch(0, "videos of one model made at the same time, the others stay in the queue; 0: no bound")
    fail_chance: float = _switch(0.0, "chance that a video ends Failed; a prompt with '[fail: why]' always does")
    fail_reason: str = _switch("Video generation failed", "reason of a video that failed by chance")

    key: str = _switch(_key("cn"), "API key of the account on the .cn site")
    key_other: str = _switch(_key("other"), "API key of a second account on the .cn site")
    key_com: str = _switch(_key("com"), "API key of the account on the .com site")
    models: tuple[str, ...] = _switch(tuple(sorted(KNOWN_MODELS)), "models on offer, separated by commas")
    price: float = _switch(2.00, "CNY for a video on the .cn site")
    price_com: float = _switch(0.29, "USD for a video on the .com site")
    balance: float = _switch(1_000_000.0, "what each account can spend")
    balance_status: int = _switch(403, "HTTP status of an empty balance", 402, 403)
    charge: str = _switch("accepted", "when a video is billed", "accepted", "finished")
    bill_failed: bool = _switch(True, "bill videos that end Failed")

    submits_per_minute: int = _switch(0, "submits for each account and model; 0: no limit")
    statuses_per_minute: int = _switch(0, "status calls for each account; 0: no limit")
    in_flight: int = _switch(0, "unfinished videos for each account and model; 0: no limit")
    retry_after: bool = _switch(False, "send Retry-After when a limit rejects a call")

    trace: str = _switch("everywhere", "responses with x-siliconcloud-trace-id", "everywhere", "submit", "never")
    position: bool = _switch(True, "send the queue position while InQueue")
    pending_results: str = _switch("empty", "the field results before a video is ready", "empty", "null", "missing")
    unknown_id: str = _switch("404", "response to an id the account does not know", *LOST_ID_RESPONSES)
    expired_id: str = _switch("404", "response to an id whose result is no longer kept", *LOST_ID_RESPONSES)
    keep_seconds: float = _switch(0.0, "how long results are kept after a video is ready; 0: for ever")
    t2v_image: str = _switch("ignore", "a text-to-video submit that carries an image", "ignore", "accept", "reject")
    i2v_size: str = _switch("image", "size of an image-to-video clip", "image", "requested")
    max_image_bytes: int = _switch(LARGE_IMAGE, "bytes of image above which a submit gets 413; 0: no limit")

    url_style: str = _switch("sigv4", "how URLs are signed; both: by turns", "oss", "sigv4", "both")
    url_seconds: int = _switch(3600, "how long a URL is valid (documented: 3600 and 600)")
    fresh_urls: bool = _switch(True, "a new URL on each poll, instead of one signed when the video was ready")
    ranges: bool = _switch(True, "storage honours Range")

    tiny: bool = _switch(False, "render 64x64 clips of half a second, for tests")
    body_bytes: int = _switch(0, "pad each video to this many bytes with a pattern; 0: no padding")
    ledger_file: str = _switch("", "keep jobs and ledger in this file and load them again at the next start")
    faults: tuple[Fault, ...] = _switch((), "faults from the start, see --fault")

    def __post_init__(self) -> None:
        """
        Reject what makes no sense, all at once.

        :raises ValueError: With all that makes no sense.
        """
        problems = [
            f"{name.name} is {value!r}, not one of {', '.join(map(str, name.metadata['choices']))}"
            for name in dataclasses.fields(self)
            if name.metadata["choices"] and (value := getattr(self, name.name)) not in name.metadata["choices"]
        ]
        if not 0 < self.min < self.median < self.max:
            problems.append("min, median and max must be positive and ascending")
        if self.speed <= 0:
            problems.append("speed must be positive")
        if not 0 <= self.fail_chance <= 1:
            problems.append("fail_chance must be between 0 and 1")
        if len({self.key, self.key_other, self.key_com}) < 3:
            problems.append("the keys of the accounts must differ")
        problems += [
            f"{name.name} must not be negative"
            for name in dataclasses.fields(self)
            if name.type in ("int", "float") and name.name != "seed" and getattr(self, name.name) < 0
        ]
        if problems:
            raise ValueError("; ".join(problems))
