"""Sphinx builds the site from this; `make docs` runs it with warnings as errors."""

import sys
from pathlib import Path

from tenantry import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Tenantry"
project_copyright = "the Tenantry contributors"
release = __version__

extensions = ["generated", "myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "Tenantry"
