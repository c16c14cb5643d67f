"""Read the arguments of a task: each is understood or rejected before any money is spent."""

from __future__ import annotations

import inspect
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.exceptions import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection

#: Characters of a user's value that a message shows.
_SHOWN = 80
#: Seconds; longer waits are a mistake of unit.
_MAX_SECONDS = 366 * 86400.0


def seconds(name: str, value: Any, *, positive: bool = False) -> float:
    """
    Return a duration in seconds.

    :param name: The argument's name, for the error.
    :param value: Seconds as a number, or a ``timedelta``.
    :param positive: Whether 0 is rejected.
    :return: Seconds.
    :raises InvalidArgumentError: if it is anything else, negative, not finite or beyond a year.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise InvalidArgumentError(f"{name} is {shown(value)}: give seconds as a number, or a timedelta.")
    if not (math.isfinite(number) and 0 <= number <= _MAX_SECONDS) or (positive and number == 0):
        raise InvalidArgumentError(f"{name} is {shown(value)}: give a duration between 0 and 366 days.")
    return float(number)


def optional_seconds(name: str, value: Any, *, positive: bool = False) -> float | None:
    """
    Return a duration in seconds, or None where none is given; as :func:`seconds` otherwise.

    :param name: The argument's name, for the error.
    :param value: Seconds as a number, a ``timedelta``, or None.
    :param positive: Whether 0 is rejected.
    :return: Seconds, or None.
    :raises InvalidArgumentError: as :func:`seconds`.
    """
    return None if value is None else seconds(name, value, positive=positive)


def one_of(name: str, value: Any, allowed: Collection[str]) -> str:
    """
    Return a word of a closed set.

    :param name: The argument's name, for the error.
    :param value: What the user gave.
    :param allowed: The words that are understood, exactly as they are.
    :return: The word.
    :raises InvalidArgumentError: for any other value.
    """
    if not isinstance(value, str) or value not in allowed:
        words = ", ".join(repr(word) for word in allowed)
        raise InvalidArgumentError(f"{name} is {shown(value)}: it must be one of {words}.")
    return value


def flag(name: str, value: Any) -> bool:
    """
    Return a yes or no; the text ``"False"``, which would count as true, is rejected like all that is no bool.

    :param name: The argument's name, for the error.
    :param value: What the user gave.
    :return: The bool.
    :raises InvalidArgumentError: if it is no bool.
    """
    if not isinstance(value, bool):
        raise InvalidArgumentError(f"{name} is {shown(value)}: it must be True or False.")
    return value


def text(name: str, value: Any) -> str | None:
    """
    Return a rendered text field.

    :param name: The argument's name, for the error.
    :param value: What the template rendered to. A whole number, to which native rendering turns digits, is taken.
    :return: The text, or None for what an empty template renders to: None, ``"None"``, nothing but white space.
    :raises InvalidArgumentError: if it is no text, or has characters that no log, XCom or file can hold.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if is_absent(value):
        return None
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name} is {shown(value)}: it must be a text.")
    position = next((at for at, sign in enumerate(value) if "\ud800" <= sign <= "\udfff" or sign == "\0"), None)
    if position is not None:
        what = "a NUL" if value[position] == "\0" else "half of a surrogate pair (a cut emoji, for example)"
        raise InvalidArgumentError(f"{name} has {what} at character {position}, which cannot be stored.")
    return value


def is_absent(value: Any) -> bool:
    """
    Return whether a value is what an empty template renders to: None, ``"None"``, nothing but white space.

    :param value: What the template rendered to.
    :return: Whether it is.
    """
    return value is None or (isinstance(value, str) and value.strip() in ("", "None"))


def default_of(kind: type, name: str) -> Any:
    """
    Return what an argument of a class is where it is not given.

    :param kind: The class.
    :param name: The argument's name.
    :return: The default, as the nearest ``__init__`` says that takes it.
    :raises LookupError: if none does.
    """
    for each in kind.__mro__:
        parameter = inspect.signature(vars(each).get("__init__", object)).parameters.get(name)
        if parameter and parameter.default is not parameter.empty:
            return parameter.default
    raise LookupError(name)


def shown(value: Any) -> str:
    """
    Return a value for a message: its type and at most about eighty characters of it.

    :param value: What the user gave.
    :return: ``'…' (str)``.
    """
    words = repr(value[: _SHOWN + 1]) if isinstance(value, (str, bytes)) else repr(value)
    cut = words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"
    return f"{cut} ({type(value).__name__})"
