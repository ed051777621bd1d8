# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx makes the documentation site; see the session ``site`` of noxfile.py."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

project = "postmaster.exchange"
author = "The postmaster.exchange contributors"
copyright = f"2026, {author}"  # noqa: A001 - Sphinx calls it so
html_title = project

extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_heading_anchors = 3
html_theme = "sphinx_ansible_theme"
html_theme_options = {"display_version": False, "vcs_pageview_mode": "", "topbar_links": {}}
html_show_sourcelink = False
highlight_language = "yaml+jinja"

# What leads to Ansible's own pages. Sphinx would ask the network for a list of them.
ANSIBLE = "https://docs.ansible.com/projects/ansible/latest"
PAGES = {
    "action_plugins": "plugins/action.html",
    "callback_plugins": "plugins/callback.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
PLUGIN = re.compile(
    r"ansible_collections\.ansible\.builtin\.(\w+_(?:callback|connection|filter|module))"
)
LINK = re.compile(r"\[([^\]]+)\]\(([^)#:]+)\)")


def page_of_ansible(
    _app: Sphinx, _env: BuildEnvironment, reference: pending_xref, text: nodes.Node
) -> nodes.Node | None:
    """Return a link to the page of Ansible that a reference means, if it means one."""
    label = reference["reftarget"]
    plugin = PLUGIN.fullmatch(label)
    page = f"collections/ansible/builtin/{plugin[1]}.html" if plugin else PAGES.get(label)
    if page is None:
        return None
    return nodes.reference("", "", text, refuri=f"{ANSIBLE}/{page}", internal=False)


def name_folders(app: Sphinx, page: str, source: list[str]) -> None:
    """Write links to folders as their names: a forge lists what is in a folder, a site does not."""
    place = Path(app.srcdir, page).parent

    def name(link: re.Match[str]) -> str:
        return f"`{link[1]}`" if (place / link[2]).is_dir() else link[0]

    source[0] = LINK.sub(name, source[0])


def setup(app: Sphinx) -> None:
    """Let Sphinx ask us about what it does not know."""
    app.connect("source-read", name_folders)
    app.connect("missing-reference", page_of_ansible)
