# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the role's variables of all hosts, resolve their domains once, and return both."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._base.access import parse_access, why_not_kept
from ..module_utils._base.context import Context
from ..module_utils._base.errors import ExchangeError, InvalidInput
from ..module_utils._base.interrupt import orderly_end
from ..module_utils._base.texts import one_line
from ..module_utils._lock.module import READ_SPEC, read_lock
from ..module_utils._pairs.module import ARGUMENT_SPEC as PAIRS_SPEC
from ..module_utils._pairs.module import run as run_pairs
from ..module_utils._report import plan_file
from ..module_utils._report.slices import octets_of, unpack
from ..module_utils._run.backups import Shelf, last_run
from ..module_utils._run.module_runner import failed
from ..module_utils._run.options import FAMILIES
from ..module_utils._run.routes import NOTE_LIMIT
from ..plugin_utils._action import plain
from ..plugin_utils._progress import Progress
from ..plugin_utils._role_variables import Reader, results_of, variables_of
from ..plugin_utils._role_words import check_options, role_words
from ..plugin_utils._settings import (
    Settings,
    all_domains,
    all_suffixes,
    dns_entries,
    dns_options,
    settings_of,
)
from ..plugin_utils._shared import share
from ..plugin_utils._whole_run import (
    check_agreement,
    check_names,
    check_places,
    chosen_tags,
    unknown_names,
)

_FILE = Path(__file__).parents[2] / "roles" / "mx_delivery" / "meta" / "argument_specs.yml"
_ENTRY_POINTS = ("main", "audit", "diagnose", "check", "rollback", "write_lock")
_SPEC: dict[str, Any] = {
    "entry_point": {"type": "str", "choices": [*_ENTRY_POINTS], "default": "main"},
    "routes": {"type": "dict"},
    "results": {"type": "str"},
}
#: Those that change hosts, and so make backups.
_CHANGING = ("main", "rollback")
#: Strategies that run a task on all hosts before the next, so that a limit can hold.
_LINEAR = ("linear", "debug")

#: Subdomains looked up in an audit, and addresses of each that are named.
_MOST_SUBDOMAINS, _MOST_NAMED = 100, 3

Variables = Mapping[str, Any]

share()


class ActionModule(ActionBase):  # type: ignore[misc] # ansible-core is not typed
    """The action plugin of postmaster.exchange.delivery_routes; it works on the controller only."""

    _supports_check_mode = True
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the task and return its result, a failed one if the routes are not known."""
        super().run(tmp, task_vars)
        _unused, given = self.validate_argument_spec(
            argument_spec=_SPEC, required_together=[("routes", "results")]
        )
        variables = task_vars or {}
        try:
            self._check_strategy()
            left_out = self._tags_left_out(variables)
            if left_out is None:
                reason = "The tags of this run leave out the role."
                return {"changed": False, "skipped": True, "skip_reason": reason}
            with orderly_end():
                if given["routes"] is not None:
                    result = self._again(given, variables)
                else:
                    result = self._first(given["entry_point"], variables, left_out)
        except ExchangeError as error:
            wrong = dict.fromkeys(variables.get("ansible_play_batch") or (), str(error))
            result = {
                "run": _run({}, variables),
                "settings": [],
                "hosts": {},
                "failures": wrong,
                "serial": [],
                "compare_first": False,
                **failed(error),
            }
        safe: dict[str, Any] = wrap_var({"changed": False, **result})
        return safe

    def _check_strategy(self) -> None:
        strategy = str(self._task._parent._play.strategy)
        if not strategy.rpartition(".")[2].endswith(_LINEAR):
            raise InvalidInput(
                f"The strategy is {strategy}, which supports neither limits nor batches.",
                hint="No host was contacted. Set strategy: linear in the play.",
            )

    def _tags_left_out(self, variables: Variables) -> Collection[str] | None:
        """Return the steps that the command line leaves out, None if it leaves out the role.

        Tags that would run only a part of the job end the run here, although the task ignores its
        errors: they may leave out the steps that would report the failure.
        """
        wanted = variables.get("ansible_run_tags") or ["all"]
        skipped = variables.get("ansible_skip_tags") or ()
        try:
            return chosen_tags(getattr(self._task, "tags", ()), wanted, skipped)
        except InvalidInput:
            self._task.ignore_errors = False
            raise

    def _first(
        self, entry_point: str, variables: Variables, left_out: Collection[str]
    ) -> dict[str, Any]:
        """Read the variables of all hosts, and resolve."""
        options = yaml_load(_FILE.read_text(encoding="utf-8"))["argument_specs"]
        known = frozenset(name for one in options.values() for name in one["options"])
        own, hostvars = options[entry_point]["options"], variables.get("hostvars", {})
        reader = Reader(own, self._templar, hostvars, known)
        names: Sequence[str] = variables["ansible_play_batch"]
        read = _read(self._task, reader, names, variables, entry_point)
        found, chosen = read.settings, read.hosts
        check_agreement(found, chosen)
        settings = [one for one, _values in found]
        if "test" in left_out:
            for one in settings:
                one.options["test"]["domains"] = "none"
        first = found[0][1] if found else reader.defaults
        if found:
            check_places(first)
        result: dict[str, Any] = {
            "run": _run(first, variables),
            "names": list(names),
            "hosts": chosen,
            "failures": read.failures,
            "families": read.families,
            "serial": list(settings[0].serial) if settings else [],
            "compare_first": entry_point in _CHANGING
            and not first.get("mx_delivery_list")
            and any(one.limited for one in settings),
            "dns": dns_options(settings, first),
            "fail_on": first.get("mx_delivery_fail_on") or [],
            "max_changed_hosts": first.get("mx_delivery_max_changed_hosts") or "",
            "max_removed_domains": first.get("mx_delivery_max_removed_domains") or "",
            "force": bool(found) and all(each.get("mx_delivery_force") for _one, each in found),
            "note": one_line(first.get("mx_delivery_note") or "", NOTE_LIMIT),
            **_approved(first, names),
        }
        if entry_point in _CHANGING and not first.get("mx_delivery_list"):
            result |= self._kept(entry_point, settings)
        resolved: dict[str, Any] = {"domains": [], "pairs": []}
        if settings and entry_point == "rollback":
            routes = [{"domain": name} for name in all_domains(settings)]
            resolved = {"domains": [], "routes": routes, "pairs": []}
        elif settings and entry_point not in {"diagnose", "check"}:
            resolved = self._resolved(entry_point, settings, first, result)
        resolved = _with_notes(resolved, settings)
        written = [one.to_dict(resolved) for one in settings]
        return {**resolved, **result, "settings": written}

    def _kept(self, entry_point: str, settings: Sequence[Settings]) -> dict[str, Any]:
        """See that backups will last, and find the run to undo where a rollback names none.

        Raises ExchangeError where a folder is unusable, or it is not clear which run is the last.
        """
        shelves: dict[Shelf, list[Settings]] = {}
        for one in settings:
            options = {"backup_mode": None, "backup_group": None, **one.options}
            base = Path.cwd() / (options.get("backup_dir") or "backups")
            if why := why_not_kept(base):
                raise InvalidInput(
                    f"mx_delivery_backup_dir is {base}, which does not keep backups: {why}.",
                    hint="No host was contacted. Set it to a folder outside.",
                )
            if entry_point == "rollback" and not options.get("backup"):
                shelf = Shelf(base, parse_access(options), dt.datetime.now(dt.UTC))
                shelves.setdefault(shelf, []).append(one)
        runs = {shelf: last_run(shelf) for shelf in shelves}
        if len({found.id for found in runs.values()}) > 1:
            raise InvalidInput(
                "The hosts have several folders of backups, with different last runs.",
                hint="Set mx_delivery_backup to the run to undo.",
            )
        for shelf, found in runs.items():
            for one in shelves[shelf]:
                one.options["backup"] = found.id
        run = next(iter(runs.values()), None)
        return {"undoes": run.to_dict()} if run else {}

    def _resolved(
        self, entry_point: str, settings: Sequence[Settings], values: Variables, result: Variables
    ) -> dict[str, Any]:
        """Resolve by DNS, or take the pairs from the lock, once for all hosts."""
        domains, suffixes = dns_entries(settings), all_suffixes(settings)
        content = values.get("mx_delivery_lock_content") or ""
        lock = values.get("mx_delivery_lock") or ""
        locked = bool(content or lock) and entry_point != "write_lock"
        live = None
        try:
            if not locked or entry_point == "audit":
                asked = suffixes if entry_point == "audit" else []
                live = self._pairs(domains, result["dns"], asked)
            if not locked:
                return live or {}
            options = {
                "path": f"mx_pairs.lock.yml of {result['run']['id']}" if content else lock,
                "content": content or None,
                "resolved": live,
                "domains": domains,
                "stale": values["mx_delivery_lock_stale"],
                "grace": values["mx_delivery_lock_grace"],
                **{name: value for name, value in result["dns"].items() if name in READ_SPEC},
            }
            return read_lock({**_defaults(READ_SPEC), **options}, self._context())
        except ExchangeError as error:
            error.message, error.hint = (_dns_words(text) for text in (error.message, error.hint))
            return failed(error)

    def _pairs(
        self, domains: Sequence[Any], dns: Variables, search_list: Sequence[str]
    ) -> dict[str, Any]:
        options = {**_defaults(PAIRS_SPEC), **dns, "domains": domains, "search_list": search_list}
        return run_pairs(options, self._context())

    def _context(self) -> Context:
        return Context(
            host="localhost",
            basedir=Path.cwd(),
            check_mode=self._task.check_mode,
            diff=self._task.diff,
            progress=Progress("DNS"),
        )

    def _again(self, given: Variables, variables: Variables) -> dict[str, Any]:
        """Return an earlier result with what the hosts' results ask for besides."""
        earlier = dict(given["routes"])
        families = {one["family"] for one in earlier.get("settings") or ()}
        audit = given["entry_point"] == "audit"
        if earlier.get("failed") or not families:
            return earlier
        results = results_of(variables, earlier["hosts"], given["results"])
        if audit:
            earlier = self._with_subdomains(earlier, results)
            if families == {"imc"}:
                return earlier
        known = [name for one in earlier["settings"] for name in one["search_list"]]
        suffixes = list(dict.fromkeys((*(() if audit else known), *_appended(results))))
        if audit:
            new = [name for name in suffixes if name not in known]
            return self._with_suffixes(earlier, new) if new else earlier
        return self._for_stuck(earlier, results, suffixes)

    def _with_suffixes(self, earlier: dict[str, Any], suffixes: Sequence[str]) -> dict[str, Any]:
        """Return the result with a warning for each name that these suffixes misroute."""
        names = [one["domain"] for one in earlier["domains"]]
        dns = {**earlier["dns"], "evidence": False}
        asked = {one["domain"]: one for one in self._pairs(names, dns, suffixes)["domains"]}
        domains = []
        for one in earlier["domains"]:
            new = [
                note
                for note in asked[one["domain"]]["warnings"]
                if note["code"] == "search_list_hijack"
            ]
            domains.append({**one, "warnings": [*(one.get("warnings") or ()), *new]})
        return {**earlier, "domains": domains}

    def _with_subdomains(
        self, earlier: dict[str, Any], results: Mapping[str, Variables]
    ) -> dict[str, Any]:
        """Return the result with warnings of unlisted subdomains that have other mail servers.

        Those are subdomains with mail at a host where the routes of a listed domain take it, too.
        """
        domains = {one["domain"]: one for one in earlier["domains"]}
        led = _led_subdomains(results, domains)
        if not led:
            return earlier
        dns = {**earlier["dns"], "evidence": False, "families": ["ipv4"]}
        notes: dict[str, list[dict[str, Any]]] = {}
        for one in self._pairs([*led], dns, [])["domains"]:
            name, parent = one["domain"], led[one["domain"]]
            addresses = [pair["address"] for pair in one["pairs"]]
            if set(addresses) - {pair["address"] for pair in domains[parent]["pairs"]}:
                message = (
                    f"{name} has other mail servers ({', '.join(addresses[:_MOST_NAMED])}), and the"
                    f" routes of {parent} take its mail, too (Q259531); list it as well"
                )
                note = {"code": "subdomain_elsewhere", "message": message, "subdomain": name}
                notes.setdefault(parent, []).append(note)
        told = [
            {**one, "warnings": [*(one.get("warnings") or ()), *notes.get(one["domain"], ())]}
            for one in earlier["domains"]
        ]
        return {**earlier, "domains": told}

    def _for_stuck(
        self, earlier: dict[str, Any], results: Mapping[str, Variables], suffixes: Sequence[str]
    ) -> dict[str, Any]:
        """Return the result for a diagnosis: the routes of the domains with delayed mail.

        ``compared`` are the hosts to compare, without those that could not be read and those of
        Exchange 2010 and later without delayed mail.
        """
        stuck: dict[str, list[str]] = {}
        for name, result in results.items():
            queue = result.get("queue") or {}
            if "stuck_domains" in queue and result.get("family"):
                stuck[name] = queue["stuck_domains"]
        domains = list(dict.fromkeys(domain for names in stuck.values() for domain in names))
        try:
            resolved = self._pairs(domains, {**earlier["dns"], "families": ["ipv4"]}, suffixes)
        except ExchangeError as error:
            return {**earlier, **failed(error)}
        routes = {route["domain"]: route for route in resolved["routes"]}
        settings = list(earlier["settings"])
        hosts = {}
        for name, waiting in stuck.items():
            family = results[name]["family"]
            if family == "transport" and not waiting:
                continue
            before = earlier["settings"][earlier["hosts"][name]]
            options = {
                **before["options"],
                "family": family,
                "routes": [routes[domain] for domain in waiting if domain in routes],
                "imc": {**before["options"]["imc"], "missing_imccopy": "warn"},
                "queue": {"read": False},
            }
            hosts[name] = len(settings)  # the number that its settings get
            settings.append({**before, "family": family, "domains": waiting, "options": options})
        known = {"settings": settings, "hosts": {**earlier["hosts"], **hosts}}
        return {**earlier, **resolved, **known, "compared": list(hosts)}


@dataclass(slots=True)
class _Read:
    """The checked variables of all hosts.

    ``settings`` are the distinct ones with their values, and ``hosts`` maps each host to the index
    of its settings. ``failures`` has the error of a host, and ``families`` its family, if set.
    """

    settings: list[tuple[Settings, Variables]] = field(default_factory=list)
    hosts: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)


def _read(
    task: Any,
    reader: Reader,
    names: Sequence[str],
    variables: Variables,
    entry_point: str,
) -> _Read:
    """Return the settings of all hosts, and what is wrong.

    Raises InvalidInput for a variable of a host with the role's prefix that the role lacks.
    """
    registered = _registered(variables)
    exact = _exact_by_hand(variables)
    unknown: dict[str, list[str]] = {}
    read = _Read()
    numbers: dict[tuple[int, bool], int | InvalidInput] = {}
    for name, own in zip(names, variables_of(task, variables, names), strict=True):
        for each in unknown_names(own, reader.known):
            if each not in registered(name):
                unknown.setdefault(each, []).append(name)
        try:
            values = reader.read(own)
            writers = values.get("mx_delivery_writers")
            key = (id(values), writers is None or name in writers)
            if key not in numbers:
                try:
                    made = settings_of(values, entry_point, may_change=key[1])
                    if exact and not values.get("mx_delivery_exact_confirm"):
                        made.options["refuse_removals"] = True
                    check_options(made.options, entry_point)
                    numbers[key] = len(read.settings)
                    read.settings.append((made, values))
                except InvalidInput as error:
                    numbers[key] = error
            number = numbers[key]
            if isinstance(number, InvalidInput):
                raise number
            read.hosts[name] = number
        except InvalidInput as error:
            text = str(error).replace("\n", " ").rstrip(".")
            read.failures[name] = f"{text}. This host was not contacted."
            if own.get("mx_delivery_family") in FAMILIES:
                read.families[name] = plain(own["mx_delivery_family"])
    check_names(unknown, reader.known)
    return read


def _registered(variables: Variables) -> Callable[[str], Collection[str]]:
    """Return what has the names that a host's tasks registered or set as facts."""
    manager = getattr(variables.get("hostvars"), "_variable_manager", None)
    facts: Variables = getattr(manager, "_nonpersistent_fact_cache", None) or {}
    return lambda host: facts.get(host) or ()


def _exact_by_hand(variables: Variables) -> bool:
    """Return true if the list of domains comes from the command line, not from an inventory."""
    manager = getattr(variables.get("hostvars"), "_variable_manager", None)
    return "mx_delivery_domains" in (getattr(manager, "extra_vars", None) or ())


def _dns_words(text: str) -> str:
    """Return a message of the engine for DNS in the words of the role."""
    for option in ("port", "timeout", "lifetime"):
        text = re.sub(rf"^{option} is ", f"mx_delivery_dns_{option} is ", text)
    for option in ("max_pairs", "families", "nameservers", "grace"):
        name = "lock_grace" if option == "grace" else option
        text = re.sub(rf"(?<!\w){option}(?= (?:is|must|has)\b)", f"mx_delivery_{name}", text)
    return role_words(text)


def _with_notes(resolved: dict[str, Any], settings: Sequence[Settings]) -> dict[str, Any]:
    """Return the answers of DNS with the notes on domains; the first of several counts."""
    notes: dict[str, str] = {}
    for each in settings:
        for name, entry in each.domains.items():
            if "note" in entry.route:
                notes.setdefault(name, entry.route["note"])
    if not notes:
        return resolved
    domains = [
        {**one, "note": notes[one["domain"]]} if one["domain"] in notes else one
        for one in resolved.get("domains") or ()
    ]
    return {**resolved, "domains": domains}


def _approved(values: Variables, names: Sequence[str]) -> dict[str, Any]:
    """Return what the approved plan has for each host, if the run has one; raises InvalidInput."""
    path = values.get("mx_delivery_plan") or ""
    content = values.get("mx_delivery_plan_content") or ""
    if not (path or content):
        return {}
    what = f"The plan {path}" if path else "The plan in mx_delivery_plan_content"
    try:
        text = (octets_of(Path(path)) if path else unpack(what, content)).decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{what} is not a plan of this collection.") from error
    plan = plan_file.parse(text, what)
    max_age = values["mx_delivery_plan_max_age"]
    if max_age < 0:
        raise InvalidInput(f"mx_delivery_plan_max_age must be 0 or more, not {max_age}.")
    plan_file.check_age(plan, dt.datetime.now(dt.UTC), max_age, what)
    return {"plan": plan_file.approved(plan, names)}


def _run(values: Variables, variables: Variables) -> dict[str, str]:
    """Return the id of the run: the given one, that of its AWX job, or its start time."""
    now = dt.datetime.now(dt.UTC)
    job = variables.get("awx_job_id") or variables.get("tower_job_id")
    name = f"awx-{job}" if job else f"{now:%Y-%m-%dT%H%M%SZ}-{secrets.token_hex(2)}"
    return {
        "id": values.get("mx_delivery_run") or name,
        "started_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _led_subdomains(results: Mapping[str, Variables], listed: Mapping[str, Any]) -> dict[str, str]:
    """Map each unlisted subdomain to the listed domain with the routes that take its mail."""
    led = {
        str(one["domain"]): str(one["parent"])
        for result in results.values()
        for one in (result.get("delivery") or {}).get("led_by_parent") or ()
        if one["after"] and one["domain"] not in listed and one["parent"] in listed
    }
    return dict(list(led.items())[:_MOST_SUBDOMAINS])


def _appended(results: Mapping[str, Variables]) -> list[str]:
    """Return what the hosts append to names, or may, as they were asked."""
    names: dict[str, None] = {}
    for result in results.values():
        resolver = (result.get("exchange") or {}).get("resolver") or {}
        own = () if result.get("family") == "transport" else (resolver.get("domain"),)
        for name in (*own, *(resolver.get("search_list") or ())):
            if name:
                names[str(name).lower().strip(".")] = None
    return list(names)


def _defaults(spec: Variables) -> dict[str, Any]:
    return {name: option.get("default") for name, option in spec.items()}
