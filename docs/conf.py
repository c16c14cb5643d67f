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
exclude_patterns = ["_build", "_templates"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
add_module_names = False
# Airflow's own classes have pages elsewhere, which a build without a network cannot look up.
nitpicky = False

# Chinese: `docs/translations.py` keeps the catalogues. A line number in them would change with every edit.
locale_dirs = ["locale"]
gettext_compact = False
gettext_location = False

html_theme = "furo"
html_title = "SiliconFlow for Airflow"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_logo = "logo.svg"
html_favicon = "logo.svg"
templates_path = ["_templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/languages.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
