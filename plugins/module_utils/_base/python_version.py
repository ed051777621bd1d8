# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse a Python that is too old with one sentence instead of a traceback.

Private to the collection. Each module and action imports this before anything else of the
collection, which needs a newer Python to be imported at all. So nothing here may need one.
"""

from __future__ import annotations

import json
import sys

NEEDED = (3, 11)


def refuse(version: tuple[int, ...]) -> None:
    """End a module with its result; raise AnsibleError where Ansible loads an action plugin."""
    text = (
        "postmaster.exchange requires Python 3.11 or newer; this is Python "
        + ".".join(map(str, version))
        + " ("
        + sys.executable
        + "). Nothing was changed. Run Ansible with a newer Python; for a host that runs modules"
        " itself, set ansible_python_interpreter."
    )
    # A module must not import it, and Ansible itself has it.
    errors = sys.modules.get("ansible.errors")
    if errors is not None:
        raise errors.AnsibleError(text)
    sys.stdout.write(json.dumps({"failed": True, "msg": text}) + "\n")
    raise SystemExit(1)


if sys.version_info[:2] < NEEDED:
    refuse(sys.version_info[:3])
