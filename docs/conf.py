"""How the site is made: `make docs`, see CONTRIBUTING.md."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

from executed import cache_of  # noqa: E402 - beside this file, on no path before

import opendicke  # noqa: E402

project = "opendicke"
author = "the opendicke developers"
copyright = author
version = release = opendicke.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "notebooks",
    "executed",
    "formulas",
    "outside",
    "names",
]
exclude_patterns = ["_extensions", "inventories"]
nitpicky = True
# What docstrings mention and is not public: shown as code.
nitpick_ignore_regex = [
    ("py:(func|mod)", r"opendicke\.(description|engine|master|methods|tunnelling)(\..*)?"),
    ("py:exc", "BrokenExecutor"),
    ("py:(data|func|meth|mod)", r"SETTINGS|abandoned|of|\.?pushed_flow|stability_margin"),
]

# Pages: Markdown that a code host shows as it is; their Python blocks are run (_extensions/executed.py).
myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
# Results may hold formulas, as in a notebook: $…$.
myst_mathjax_classes = "tex2jax_process|mathjax_process|math|output_area|text_html"
mathjax3_config = {"tex": {"inlineMath": [["$", "$"], ["\\(", "\\)"]]}}
nb_execution_mode = "cache"
nb_execution_cache_path = str(cache_of(HERE.parent))
nb_execution_in_temp = True
nb_execution_show_tb = True
# Seconds a cell: a busy machine is no error.
nb_execution_timeout = 1800
nb_merge_streams = True
nb_mime_priority_overrides = [("html", "text/html", 0)]

# The reference: docstrings say type and unit of each argument in words.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# As lists: "a, b: both" would be an argument b of type a.
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]

# Other projects: stored inventories, so that no network is needed.
intersphinx_mapping = {
    name: (address, str(HERE / "inventories" / f"{name}.txt"))
    for name, address in {
        "matplotlib": "https://matplotlib.org/stable/",
        "numpy": "https://numpy.org/doc/stable/",
        "python": "https://docs.python.org/3/",
        "qutip": "https://qutip.readthedocs.io/en/stable/",
        "scipy": "https://docs.scipy.org/doc/scipy/",
        "xarray": "https://docs.xarray.dev/en/stable/",
    }.items()
}

html_theme = "pydata_sphinx_theme"
html_title = f"opendicke {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "opendicke"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "getting-started": [], "gallery": [], "questions": []}
