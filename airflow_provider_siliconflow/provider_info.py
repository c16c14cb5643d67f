"""What Airflow reads when it discovers providers; imports nothing, because Airflow may still be starting."""

from __future__ import annotations

from typing import Any


def _field(label: str, json_type: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "schema": {"type": [json_type, "null"], **schema}, "description": description}


_CONN_FIELDS = {
    "timeout": _field("Timeout", "number", "Seconds for one call (default 60).", exclusiveMinimum=0),
    "max_attempts": _field(
        "Max attempts", "integer", "Times a call is tried while that is free (default 5).", minimum=1
    ),
    "max_backoff": _field("Max back-off", "number", "Seconds between two tries at most (default 30).", minimum=0),
    "proxy": _field("Proxy", "string", "URL of an HTTP proxy for API and downloads."),
    "allow_http": _field(
        "Allow plain http",
        "boolean",
        "Send the API key unencrypted to a public host (default false; private hosts need no consent).",
    ),
    "verify": _field("Verify", "string", "true, false, or the path of a CA bundle (default true)."),
    "price": _field(
        "Price of a video",
        "string",
        "What one video costs, for estimates: 2.00 CNY, or JSON by model id; by default a table of 2026.",
    ),
    "requests_per_minute": _field(
        "Requests per minute",
        "number",
        "Polls of pending videos in a minute at most, in each triggerer (default 3000).",
        minimum=1,
    ),
    "download_timeout": _field(
        "Download time-out",
        "number",
        "Seconds that the download of a video may take whatever its size (default 300).",
        exclusiveMinimum=0,
    ),
    "download_min_rate": _field(
        "Download rate",
        "number",
        "Bytes a second that a video must come with; its size by this is added to the time-out (default 65536).",
        minimum=1024,
    ),
    "store_timeout": _field(
        "Store time-out",
        "number",
        "Seconds for all that is asked of a destination's store before paying, and for each call to it afterwards"
        " besides the upload (default 60).",
        exclusiveMinimum=0,
    ),
    "image_folders": _field(
        "Image folders",
        "string",
        "Folders, with commas between them, that local images must be in; empty: any folder. Set it"
        " where `image` comes from a run's conf.",
    ),
    "spend_limit": _field(
        "Spend limit",
        "string",
        "How many videos all tasks of this connection may submit, as JSON:"
        ' {"folder": "s3://conn@bucket/limits", "max_videos_per_day": 50, "time_zone": "Asia/Shanghai"}.',
    ),
    "video_label": _field(
        "Video label",
        "string",
        'Labels of AI-generated video for all that is archived, as JSON: {"content_producer": "..."}.',
    ),
    "record_folder": _field(
        "Record folder",
        "string",
        "Folder (absolute path or object-storage URI, shared by all workers) for records of paid videos, instead"
        " of Airflow Variables, on Airflow before 3.3 and for reuse_on_clear from 3.4 on.",
    ),
}


_NAME = "SiliconFlow"
_PACKAGE = "airflow_provider_siliconflow"
_PROJECT = "https://github.com/airflow-provider-siliconflow/airflow-provider-siliconflow"


def _modules(package: str, *names: str) -> list[dict[str, Any]]:
    return [{"integration-name": _NAME, "python-modules": [f"{_PACKAGE}.{package}.{name}" for name in names]}]


def get_provider_info() -> dict[str, Any]:
    """
    Describe the provider to Airflow.

    :return: Its name, hook and connection form, as ``provider_info.schema.json`` wants them.
    """
    return {
        "package-name": "airflow-provider-siliconflow",
        "name": "SiliconFlow",
        "description": "Make videos with SiliconFlow (硅基流动): submit, wait, archive.",
        "integrations": [
            {
                "integration-name": _NAME,
                "external-doc-url": "https://docs.siliconflow.cn",
                "logo": f"{_PROJECT}/raw/main/docs/logo.svg",
                "how-to-guide": [f"{_PROJECT}/blob/main/docs/getting-started.md"],
                "tags": ["service"],
            }
        ],
        "hooks": _modules("hooks", "siliconflow", "siliconflow_async"),
        "operators": _modules("operators", "archive", "batch", "generate", "submit"),
        "sensors": _modules("sensors", "video"),
        "triggers": _modules("triggers", "batch", "submit", "video"),
        "extra-links": [f"{_PACKAGE}.jobs.video_link.VideoLink"],
        "task-decorators": [
            {
                "name": "siliconflow_video",
                "class-name": "airflow_provider_siliconflow.decorators.video.siliconflow_video_task",
            }
        ],
        "filesystems": [f"{_PACKAGE}.fs.oss"],
        "connection-types": [
            {
                "connection-type": "siliconflow",
                "hook-name": "SiliconFlow",
                "hook-class-name": "airflow_provider_siliconflow.hooks.siliconflow.SiliconFlowHook",
                "conn-fields": _CONN_FIELDS,
                "ui-field-behaviour": {
                    # The port is shown for the UI's Test button, which Airflow 3.3 refuses where none is stored.
                    "hidden-fields": ["schema", "login", "extra"],
                    "relabeling": {"password": "API key", "host": "Base URL", "port": "Port"},
                    "placeholders": {"host": "https://api.siliconflow.cn/v1", "password": "sk-…", "port": "443"},
                },
            }
        ],
    }
