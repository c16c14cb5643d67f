"""What an Airflow connection of type ``siliconflow`` says, read and checked once for both hooks."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from airflow_provider_siliconflow.client.masking import mask_text
from airflow_provider_siliconflow.client.prices import Price, price_of, read_prices
from airflow_provider_siliconflow.exceptions import InvalidArgumentError, SiliconFlowConfigError
from airflow_provider_siliconflow.hooks.base_url import read_base_url
from airflow_provider_siliconflow.label.settings import VideoLabel, read_label
from airflow_provider_siliconflow.spend_limit import SpendLimit, read_spend_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Connection

DEFAULT_CONN_NAME = "siliconflow_default"

#: Seconds. Beyond a day a duration is a mistake, and beyond 292 years the operating system's timers fail.
_DAY = 86400.0
#: Fields whose value no message shows: they may carry a key or a password.
_SECRET_FIELDS = ("api_key", "proxy")
#: Fields whose errors say all by themselves.
_TELLING_FIELDS = ("api_key", "image_folders", "video_label", "spend_limit")


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("it must be a number")
    return value.strip() if isinstance(value, str) else value


def _key(value: Any) -> str:
    key = str(value or "").strip()
    if not key:
        raise ValueError("it has no API key: put it into the password")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the API key has characters that no key has")
    return key


def _proxy(value: Any) -> str | None:
    if value is None:
        return None
    text = str(value).strip() if isinstance(value, str) else ""
    text = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna")
        usable = parts.scheme in ("http", "https") and host != b"" and " " not in text and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("it must be the URL of an http or https proxy, such as http://host:3128")
    return text


def _verify(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    word = str(value).strip()
    if word.lower() in ("true", "1", "yes"):
        return True
    return False if word.lower() in ("false", "0", "no") else word


def _folders(value: Any) -> tuple[str, ...] | None:
    """Read a list of folders, which a form gives as a text with commas. An empty list allows no folder."""
    if value is None:
        return None
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple)) or not all(isinstance(entry, str) for entry in entries):
        raise ValueError("image_folders is neither a list of folders nor a text with commas between them")
    folders = tuple(entry.strip() for entry in entries if entry.strip())
    if relative := [folder for folder in folders if not os.path.isabs(folder)]:
        raise ValueError(f"image_folders: {relative[0][:60]!r} is not an absolute path")
    return folders


def _label(value: Any) -> VideoLabel | None:
    try:
        return read_label("video_label", value)
    except InvalidArgumentError as error:
        raise ValueError(error.message) from None


def _folder(value: Any) -> str | None:
    if value is None:
        return None
    folder = str(value).strip().rstrip("/")
    if "://" not in folder and not os.path.isabs(folder):
        raise ValueError("it must be an absolute path or the URI of a folder, such as s3://conn_id@bucket/records")
    return folder


def _spend_limit(value: Any) -> SpendLimit | None:
    try:
        return read_spend_limit("spend_limit", value)
    except InvalidArgumentError as error:
        raise ValueError(error.message) from None


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]


@dataclass(frozen=True, config=ConfigDict(hide_input_in_errors=True))
class Settings:
    """
    How the API is reached.

    :param base_url: The API's address with its version, in ASCII, without a trailing slash.
    :param api_key: The key; no ``repr`` shows it.
    :param timeout: Seconds for one call as a whole: connection, TLS, request and response.
    :param max_attempts: Times a call is tried while that is free.
    :param max_backoff: Seconds between two tries at most.
    :param proxy: URL of an HTTP proxy, or None for what the environment says.
    :param verify: Whether to check TLS certificates, or the path of a CA bundle.
    :param price: What one video costs, by model, where the table of this package says otherwise or nothing.
    :param requests_per_minute: Polls in a minute at most, in each triggerer.
    :param download_timeout: Seconds that the download of a video may take whatever its size.
    :param download_min_rate: Bytes a second that a video must come with: its size by this is added to
        ``download_timeout``.
    :param store_timeout: Seconds for all that is asked of a destination's store before paying, and for each call to it
        afterwards besides the upload.
    :param video_label: The labels of all archived videos, where a task has none of its own.
    :param spend_limit: How many videos may be submitted by all tasks that use the connection.
    :param image_folders: Absolute paths of the folders that a local image must be in; None for any, empty for none.
    :param record_folder: Folder for the records of paid videos where Airflow has no task state store or a clear
        deletes it; None for Airflow Variables.
    """

    base_url: str
    api_key: Annotated[str, BeforeValidator(_key)] = field(repr=False)
    timeout: Annotated[Number, Field(gt=0, le=_DAY)] = 60.0
    max_attempts: Annotated[int, BeforeValidator(_number), Field(ge=1, le=1000)] = 5
    max_backoff: Annotated[Number, Field(ge=0, le=_DAY)] = 30.0
    proxy: Annotated[str | None, BeforeValidator(_proxy)] = field(default=None, repr=False)
    verify: Annotated[bool | str, BeforeValidator(_verify)] = True
    price: Annotated[dict[str, Price], BeforeValidator(read_prices)] = field(default_factory=dict)
    requests_per_minute: Annotated[Number, Field(ge=1, le=1e9)] = 3000.0
    download_timeout: Annotated[Number, Field(gt=0, le=_DAY)] = 300.0
    download_min_rate: Annotated[Number, Field(ge=1024, le=1e12)] = 65536.0
    store_timeout: Annotated[Number, Field(gt=0, le=_DAY)] = 60.0
    video_label: Annotated[VideoLabel | None, BeforeValidator(_label)] = None
    spend_limit: Annotated[SpendLimit | None, BeforeValidator(_spend_limit)] = None
    image_folders: Annotated[tuple[str, ...] | None, BeforeValidator(_folders)] = None
    record_folder: Annotated[str | None, BeforeValidator(_folder)] = None

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """
        Return what no message, log or store may show.

        :return: The key, and of the proxy's URL all that has its password.
        """
        if not self.proxy:
            return (self.api_key,)
        userinfo = urlsplit(self.proxy).netloc.rpartition("@")[0]
        password = unquote(userinfo.partition(":")[2])
        basic = base64.b64encode(unquote(userinfo).encode()).decode() if userinfo else ""
        return (self.api_key, self.proxy, userinfo, password, basic)

    def price_of(self, model: str | None) -> Price:
        """
        Return what one video costs, an estimate.

        :param model: The model id.
        :return: As the connection says, else as the table of this package does.
        """
        return price_of(urlsplit(self.base_url).hostname or "", model, self.price)

    @classmethod
    def from_connection(cls, conn: Connection) -> Settings:
        """
        Read a connection.

        :param conn: The connection; password is the API key, host the base URL.
        :return: Its settings.
        :raises SiliconFlowConfigError: with all that is wrong, never showing the key.
        """
        problems = []
        given: Mapping[str, Any] = {}
        base_url = ""
        try:
            given = _extra(conn)
        except ValueError as error:
            problems.append(str(error))
        try:
            base_url = read_base_url(conn.host, conn.port, conn.schema, given.get("allow_http"))
        except ValueError as error:
            problems.append(str(error))
        fields = {name: given[name] for name in cls.__dataclass_fields__ if name in given}
        fields |= {"base_url": base_url, "api_key": conn.password}
        try:
            settings = cls(**fields)
        except ValidationError as error:
            problems += _described(error)
        if problems:
            # A key or a password is easily put into the wrong field.
            described = mask_text("; ".join(problems), (conn.password or "",))
            raise SiliconFlowConfigError(f"Airflow connection {conn.conn_id!r}: {described}.") from None
        return settings


def _extra(conn: Connection) -> dict[str, Any]:
    """Return the fields of the extra that are filled in. JSON that was encoded twice is read for what it is."""
    extra: Any = conn.extra or "{}"
    try:
        for _ in range(2):
            extra = json.loads(extra) if isinstance(extra, str) else extra
    except (ValueError, RecursionError):
        raise ValueError("the extra is not JSON") from None
    if not isinstance(extra, dict):
        raise ValueError('the extra is not a JSON object such as {"timeout": 60}')
    return {name: value for name, value in extra.items() if value is not None and value != ""}


def _described(error: ValidationError) -> list[str]:
    problems = []
    for detail in error.errors(include_url=False):
        name = str(detail["loc"][0])
        value = "" if name in _SECRET_FIELDS else f" {str(detail['input'])[:60]!r}"
        what = detail["msg"].removeprefix("Value error, ").replace("Input should", "it must")
        problems.append(
            what if name in ("api_key", "image_folders", "video_label", "spend_limit") else f"{name}{value}: {what}"
        )
    return problems
