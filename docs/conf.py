# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds the documentation: ``make docs``, or ``python -m sphinx -W docs build/docs``."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from sphinx.util.inspect import stringify_signature

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
# Importing Airflow writes its configuration file; that of whoever builds the documentation is none of our business.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="adgen-docs-")

import airflow_provider_adgen  # noqa: E402 - only after its place is on the path
from airflow_provider_adgen.hooks.base import AdGenHook  # noqa: E402 - as above
from airflow_provider_adgen.hooks.endpoints import Method  # noqa: E402 - as above

# All of it now: autodoc writes into the annotations of classes that it has seen, pydantic's BaseModel among them, after
# which no model can be made any more.
for _module in pkgutil.walk_packages(airflow_provider_adgen.__path__, f"{airflow_provider_adgen.__name__}."):
    if not _module.name.endswith(".__main__"):
        importlib.import_module(_module.name)

TWINS = {
    name
    for hook in AdGenHook.__subclasses__()
    for name, value in vars(hook).items()
    if isinstance(value, Method) and name.startswith("a") and name[1:] in vars(hook)
}

project = "airflow-provider-adgen"
author = "the airflow-provider-adgen authors"
copyright = author  # noqa: A001 - Sphinx reads this name
version = release = airflow_provider_adgen.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["build"]
# Links to headings, as GitHub makes them.
myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_title = f"airflow-provider-adgen {release}"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]
pygments_style = "friendly"
pygments_dark_style = "monokai"

autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "show-inheritance": True,
    "exclude-members": "model_config, model_post_init",
}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
# Vendors have classes of the same name (Product, Job, Asset). A short name in a signature links to one of them.
suppress_warnings = ["ref.python"]


def _tidy_signature(_app: Any, what: str, name: str, thing: Any, _options: Any, arguments: str, returns: str) -> Any:
    """
    Give hook methods that are made from an endpoint their arguments: autodoc would take the first for ``self``.

    Elsewhere, names of types whose modules autodoc could not hide (where a default has no source) are shortened.
    """
    module, _, rest = name.rpartition(".")[0].rpartition(".")
    owner = getattr(sys.modules.get(module), rest, None)
    made = vars(owner).get(name.rpartition(".")[2]) if isinstance(owner, type) else None
    if what == "method" and isinstance(made, Method):
        signature = inspect.signature(made.__wrapped__)
        return stringify_signature(signature.replace(return_annotation=inspect.Signature.empty)), None
    return re.sub(r"~(?:\w+\.)*(\w+)", r"\1", arguments).replace("<factory>", "...") if arguments else None, returns


def _is_twin(_app: Any, _what: str, name: str, _thing: Any, _skip: bool, _options: Any) -> bool | None:
    """Leave out the asynchronous twins of hook methods: the text about them would be the same."""
    return True if name in TWINS else None


def setup(app: Any) -> None:
    """Register what is above."""
    app.connect("autodoc-process-signature", _tidy_signature)
    app.connect("autodoc-skip-member", _is_twin)
