"""Arguments that are a small typed object, as a task or a connection gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from airflow_provider_siliconflow.exceptions import InvalidArgumentError

Model = TypeVar("Model", bound=BaseModel)


def read_model(name: str, value: Any, kind: type[Model]) -> Model | None:
    """
    Read an object, after its templates were rendered.

    :param name: The argument's name, for the error.
    :param value: The object, a mapping of its fields or the JSON of one; None or an empty text for none.
    :param kind: Its class.
    :return: The object.
    :raises InvalidArgumentError: for the first thing that is wrong.
    """
    if value is None or value == "":
        return None
    try:
        known = json.loads(value) if isinstance(value, str) else value
        fields = known.model_dump() if isinstance(known, kind) else known
        if not isinstance(fields, Mapping):
            raise InvalidArgumentError(f"{name} must be a {kind.__name__} or a mapping of its fields.")
        return kind.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("", *first["loc"]))
        raise InvalidArgumentError(f"{name}{where}: {first['msg']}.") from None
    except ValueError:
        raise InvalidArgumentError(f"{name} is no JSON.") from None
