"""Answers of the API, for its parsers."""

from __future__ import annotations

import json
from collections.abc import Mapping

from airflow_provider_siliconflow.client.response import Response

HOST = "https://api.siliconflow.com/v1"


def answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, headers or {}, body if isinstance(body, bytes) else json.dumps(body).encode(), HOST)
