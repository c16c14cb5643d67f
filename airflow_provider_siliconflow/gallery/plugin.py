"""The plugin that Airflow loads in each of its processes, so nothing of the web is imported here."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_provider_siliconflow import __version__
from airflow_provider_siliconflow._airflow.releases import base_path, has_react_apps
from airflow_provider_siliconflow.gallery.lazy import LazyApp

#: Where the routes that need a login are mounted, and where the page's own files are.
PREFIX, STATIC_PREFIX = "/siliconflow", "/siliconflow-static"


def _react_app(name: str, destination: str, url_route: str) -> dict[str, Any]:
    """Return an entry of the UI; the name is its label, and the global that Airflow looks the component up by."""
    # With the path of [api] base_url: Airflow 3.1 and 3.2 import it relative to their own files.
    bundle = f"{base_path()}{STATIC_PREFIX}/gallery.js?v={__version__}"
    return {"name": name, "bundle_url": bundle, "destination": destination, "url_route": url_route}


def _react_apps() -> list[dict[str, Any]]:
    """Return the page in the navigation and the tabs; each route must be unique among all plugins."""
    return [
        {
            **_react_app("Videos", "nav", "videos"),
            "icon": f"{base_path()}{STATIC_PREFIX}/icon.svg",
            "icon_dark_mode": f"{base_path()}{STATIC_PREFIX}/icon-dark.svg",
        },
        _react_app("Video", "dag", "dag-video"),
        _react_app("Video", "dag_run", "run-video"),
        _react_app("Video", "task_instance", "video"),
    ]


def _fastapi_apps() -> list[dict[str, Any]]:
    package = "airflow_provider_siliconflow.gallery"
    return [
        {"app": LazyApp(f"{package}.routes", "app"), "url_prefix": PREFIX, "name": "SiliconFlow gallery"},
        {
            "app": LazyApp(f"{package}.page", "static"),
            "url_prefix": STATIC_PREFIX,
            "name": "SiliconFlow gallery page",
        },
    ]


class GalleryPlugin(AirflowPlugin):
    """The videos that tasks have made, in Airflow's navigation and as a tab; nothing on Airflow 3.0."""

    name = "siliconflow_gallery"
    fastapi_apps = _fastapi_apps() if has_react_apps() else []
    react_apps = _react_apps() if has_react_apps() else []
