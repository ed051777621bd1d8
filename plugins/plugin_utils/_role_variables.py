# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the role mx_delivery, read for all hosts of a play by one task.

Most hosts have them from the same groups. ansible-core hands out the same objects then, so that a
set of variables is templated and checked once however many hosts have it.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._base.errors import InvalidInput
from ._action import plain, without_value

Variables = Mapping[str, Any]

_MARKS = ("{{", "{%", "{#")


def variables_of(task: Any, variables: Variables, hosts: Iterable[str]) -> Iterator[Variables]:
    """Yield what each host would have as variables in this task, its values not templated.

    ``hostvars`` has only the variables of the inventory. ansible-core itself adds the defaults of
    the role, and the variables of the play and of the task, in their order.
    """
    hostvars = variables["hostvars"]
    manager: Any = getattr(hostvars, "_variable_manager", None)
    for name in hosts:
        host = manager and hostvars._inventory.get_host(name)
        if not host:
            yield hostvars[name]
            continue
        yield manager.get_vars(
            play=task._parent._play,
            host=host,
            task=task,
            include_hostvars=False,
            _hosts=(),
            _hosts_all=(),
        )


def results_of(variables: Variables, hosts: Iterable[str], name: str) -> dict[str, Variables]:
    """Return what each host registered under a name, where it is the result of a task that ran."""
    hostvars = variables["hostvars"]
    read = getattr(hostvars, "raw_get", hostvars.__getitem__)
    found = {host: read(host).get(name) for host in hosts}
    return {
        host: result
        for host, result in found.items()
        if isinstance(result, Mapping) and "false_condition" not in result
    }


@dataclass(slots=True)
class Reader:
    """Reads the variables that an entry point of the role has.

    ``options`` is its argument specification, ``known`` are the names of all entry points;
    ``templar`` is that of the task.
    """

    options: Mapping[str, Any]
    templar: Any
    hostvars: Any
    known: frozenset[str] = frozenset()
    _same: dict[tuple[tuple[str, int], ...], Variables | InvalidInput] = field(default_factory=dict)
    _templates: dict[int, bool] = field(default_factory=dict)
    #: The objects of the ids, kept so that no other object gets the same id.
    _kept: list[Any] = field(default_factory=list)

    def read(self, variables: Variables) -> Variables:
        """Return the values of a host, checked and with defaults; the same object for hosts alike.

        Raises InvalidInput with all that is wrong with them.
        """
        raw = {name: variables[name] for name in self.options if name in variables}
        if any(self._is_template(value) for value in raw.values()):
            return self._checked(self._templated(raw, variables))
        key = tuple((name, id(value)) for name, value in raw.items())
        if key not in self._same:
            self._kept.append(raw)
            try:
                self._same[key] = self._checked(raw)
            except InvalidInput as error:
                self._same[key] = error
        found = self._same[key]
        if isinstance(found, InvalidInput):
            raise found
        return found

    @property
    def defaults(self) -> Variables:
        """The defaults of the options."""
        return {name: option.get("default") for name, option in self.options.items()}

    def _is_template(self, value: Any) -> bool:
        known = self._templates.get(id(value))
        if known is None:
            known = self._templates[id(value)] = _has_template(value)
            self._kept.append(value)
        return known

    def _templated(self, raw: Variables, variables: Variables) -> dict[str, Any]:
        context = {**variables, "hostvars": self.hostvars}
        templar = self.templar.copy_with_new_env(available_variables=context)
        values = {}
        for name, value in raw.items():
            try:
                values[name] = templar.template(value) if self._is_template(value) else value
            except AnsibleError as error:
                raise InvalidInput(f"{name}: {error}") from error
        return values

    def _checked(self, values: Variables) -> Variables:
        checked = ArgumentSpecValidator(self.options).validate(
            plain(values), validate_role_argument_spec=True
        )
        if checked.error_messages:
            texts = (without_value(str(text)).rstrip(".") for text in checked.error_messages)
            raise InvalidInput(f"{'; '.join(texts)}.")
        found: Variables = checked.validated_parameters
        return found


def _has_template(value: Any) -> bool:
    if isinstance(value, str):
        return any(mark in value for mark in _MARKS)
    if isinstance(value, Mapping):
        return any(_has_template(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_has_template(item) for item in value)
    return False
