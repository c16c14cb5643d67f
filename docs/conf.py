"""How Sphinx builds the site: MyST pages, docstrings from the package, warnings as errors (``make docs``)."""

from __future__ import annotations

import os
import tempfile

# Set before anything imports Airflow, which would write a configuration into the home folder.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="siliconflow-docs-")

from airflow_provider_siliconflow import __version__

project = "airflow-provider-siliconflow"
author = "the maintainers"
version = release = __version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
add_module_names = False
# Airflow's own classes have pages elsewhere, which a build without a network cannot look up.
nitpicky = False

locale_dirs = ["locales"]
gettext_compact = False

html_theme = "furo"
html_title = "SiliconFlow for Airflow"
html_copy_source = False
html_show_sphinx = False
html_static_path: list[str] = []
