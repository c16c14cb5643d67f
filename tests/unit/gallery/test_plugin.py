"""The plugin as each of Airflow's processes loads it."""

from __future__ import annotations

import subprocess
import sys

import airflow.sdk
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from airflow_provider_siliconflow._airflow import releases
from airflow_provider_siliconflow.gallery.lazy import LazyApp
from airflow_provider_siliconflow.gallery.plugin import GalleryPlugin


@pytest.mark.skipif(not releases.has_react_apps(), reason="Airflow 3.0 has no place for a page of a provider's")
def test_the_page_and_its_tabs_are_declared_with_routes_of_their_own() -> None:
    apps = {app["url_route"]: (app["name"], app["destination"]) for app in GalleryPlugin.react_apps}
    assert apps == {
        "videos": ("Videos", "nav"),
        "dag-video": ("Video", "dag"),
        "run-video": ("Video", "dag_run"),
        "video": ("Video", "task_instance"),
    }
    assert all(app["bundle_url"].startswith("/siliconflow-static/gallery.js?v=") for app in GalleryPlugin.react_apps)


def test_loading_it_loads_nothing_of_its_routes() -> None:
    # Workers and triggerers load plugins, too.
    code = (
        "import sys, airflow.plugins_manager; before = set(sys.modules);"
        "import airflow_provider_siliconflow.gallery.plugin;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new & {'fastapi', 'starlette', 'sqlalchemy', 'av', 'PIL', 'fsspec', 'aiohttp', 'requests'}),"
        "'airflow_provider_siliconflow.gallery.routes' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "[] False"


def test_airflow_3_0_takes_no_such_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow.sdk, "__version__", "1.0.6")
    assert not releases.has_react_apps()
    monkeypatch.setattr(airflow.sdk, "__version__", "1.1.8")
    assert releases.has_react_apps()


def test_an_app_that_cannot_be_imported_answers_503_and_says_where_to_read(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    app.mount("/gallery", LazyApp("airflow_provider_siliconflow.gallery.missing", "app"))
    with TestClient(app) as client:
        answer = client.get("/gallery/videos")
    assert answer.status_code == 503
    assert "log of the API server" in answer.json()["detail"]
    assert "cannot be shown on this Airflow" in caplog.text


def test_airflow_and_the_operators_work_where_the_plugin_cannot_be_imported() -> None:
    code = (
        "import sys; sys.modules['airflow_provider_siliconflow.gallery.lazy'] = None;"
        "from airflow import plugins_manager as manager;"
        "getattr(manager, 'ensure_plugins_loaded', getattr(manager, '_get_plugins', None))();"
        "errors = manager.get_import_errors() if hasattr(manager, 'get_import_errors') else manager.import_errors;"
        "from airflow_provider_siliconflow.operators.video import GenerateVideoOperator as Operator;"
        "Operator(task_id='a', prompt='a', model='a', image_size='a', destination='a');"
        "print([name for name in errors if 'siliconflow' in name])"
    )
    told = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "airflow_provider_siliconflow.gallery.plugin" in told.stdout.splitlines()[-1]
