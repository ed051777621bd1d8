# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An old Python ends in a sentence, in modules and in actions."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base import python_version

PLUGINS = Path(python_version.__file__).resolve().parents[2]
DOORS = [*PLUGINS.glob("modules/*.py"), *PLUGINS.glob("action/*.py")]
SENTENCE = "requires Python 3.11 or newer; this is Python 3.10.4 ("


def test_a_module_fails_with_the_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "ansible.errors", raising=False)
    with pytest.raises(SystemExit):
        python_version.refuse((3, 10, 4))
    result = json.loads(capsys.readouterr().out)
    assert result["failed"] is True
    assert SENTENCE in result["msg"]


def test_an_action_raises_an_error_of_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = SimpleNamespace(AnsibleError=type("AnsibleError", (Exception,), {}))
    monkeypatch.setitem(sys.modules, "ansible.errors", errors)
    with pytest.raises(errors.AnsibleError) as caught:
        python_version.refuse((3, 10, 4))
    assert SENTENCE in str(caught.value)


@pytest.mark.parametrize("door", DOORS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_it_is_the_first_that_a_module_or_action_imports(door: Path) -> None:
    imports = [
        node for node in ast.parse(door.read_text()).body if isinstance(node, ast.ImportFrom)
    ]
    ours = [(node.module, [each.name for each in node.names]) for node in imports if node.level]
    assert ours[:1] in ([], [("module_utils._base", ["python_version"])])
    names = {each.name for node in imports if not node.level for each in node.names}
    assert names.isdisjoint({"UTC", "StrEnum", "Self"})
