"""
Run in an environment, away from the source tree: what a new user's Airflow finds of the installed wheel.

Only the standard library, Airflow and the package are there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import airflow.sdk
from airflow.providers_manager import ProvidersManager

import airflow_provider_siliconflow

DISTRIBUTION = "airflow-provider-siliconflow"
#: Version of the Task SDK that belongs to Airflow 3.2, the first whose connection form is made from metadata.
FORM_FROM_METADATA = (1, 2)


def main() -> None:
    """Check that the provider, its hook and its connection form are found."""
    assert "site-packages" in Path(airflow_provider_siliconflow.__file__).parts, airflow_provider_siliconflow.__file__
    manager = ProvidersManager()
    assert DISTRIBUTION in manager.providers, sorted(manager.providers)
    hook = manager.hooks["siliconflow"]
    assert hook, "the hook cannot be imported"
    assert hook.package_name == DISTRIBUTION
    assert hook.hook_name == "SiliconFlow"
    sdk = tuple(int(part) for part in airflow.sdk.__version__.split(".")[:2])
    if sdk >= FORM_FROM_METADATA:
        widgets = [name for name in manager.connection_form_widgets if name.startswith("extra__siliconflow__")]
        assert widgets, "the connection form has no fields"
        assert manager.field_behaviours["siliconflow"]["relabeling"]["password"] == "API key"
        print(f"{len(widgets)} fields in the connection form")
    from airflow_provider_siliconflow.operators.video import GenerateVideoOperator

    assert GenerateVideoOperator.template_fields
    print(f"found {DISTRIBUTION} {airflow_provider_siliconflow.__version__} on Python {sys.version.split()[0]}")


main()
