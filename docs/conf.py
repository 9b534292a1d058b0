"""Sphinx builds the site from this; `make docs` runs it with warnings as errors."""

from tenantry import __version__

project = "Tenantry"
project_copyright = "the Tenantry contributors"
release = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "Tenantry"
