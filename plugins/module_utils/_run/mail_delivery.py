# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of mail_delivery: everything a run does on one host, over one session.

The parts are the engines of exchange_info, imc_delivery or transport_delivery, delivery_test,
queue_info and backup_info. What one of them learned of the installation the next one need not ask.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

from .._base.context import Context, Engine, EngineModule
from .._base.errors import ExchangeError
from .._base.texts import listed
from .._connectors.rights import read_rights
from .._pairs.names import parse_domain
from .._remote.psrp import connect
from .._remote.session import CmdletSession, RememberingSession
from . import mail_delivery_spec as spec
from .backup_info import run as run_history
from .changed_domains import (
    came_to_nothing,
    changed_domains,
    changed_external_dns,
    deferred,
    is_domain,
    pinned_afterwards,
    switch_changed,
    worth_testing,
)
from .delivery_test import run as run_test
from .exchange_info import run as run_exchange
from .imc_delivery import NO_IMCCOPY, NO_IMCCOPY_HINT
from .imc_delivery import run as run_imc
from .module_runner import failed
from .proof import Proofs
from .queue_info import run as run_queue
from .routes import GONE_STATUSES
from .transport_delivery import run as run_connectors

#: The parts, in the order in which they run and in which a failure counts.
PARTS = ("exchange", "delivery", "rights", "tests", "queue", "backups")


def _remembering(cmdlets: Callable[[], CmdletSession]) -> CmdletSession:
    """Return a session that reads once which servers and accepted domains there are."""
    return RememberingSession(cmdlets(), frozenset({"Get-ExchangeServer", "Get-AcceptedDomain"}))


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result: that of each part, None where it did not run.

    A part that fails is a failed result in its place and makes the task fail; what the parts before
    it returned stays. Raises InvalidInput for options that do not go together.
    """
    spec.check(params)
    if params["mode"] in {"compare", "diagnose", "check"}:
        context = replace(context, check_mode=True)
    if context.cmdlets is not None:  # the parts share what one of them has read
        session = cache(partial(_remembering, context.cmdlets))
        context = replace(context, cmdlets=session)
    work = _Work(params, context)
    try:
        work.run()
    finally:
        if work.proofs:
            work.proofs.close()
    return work.result()


@dataclass(slots=True)
class _Work:
    """One run on one host; ``proofs`` are the changes there that no test message has proved yet."""

    params: Mapping[str, Any]
    context: Context
    family: str = ""
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    proofs: Proofs | None = None

    def run(self) -> None:
        """Run the parts that the mode asks for, up to the first that the others need and fails."""
        mode, params = self.params["mode"], self.params
        if not self._detect():
            return
        if mode == "history":
            self._part("backups", run_history, spec.history_params(self.family, params))
            return
        if mode == "check":
            self._check()
            return
        reads_queue = params["queue"]["read"]
        # What waits on an old host, and its logs, count in its plan.
        first = mode == "compare" and self.family == "imc" and reads_queue
        if first or (mode == "diagnose" and reads_queue is not False):
            self._part("queue", run_queue, self._queue_params())
            if first and self._unreachable():
                self.parts["delivery"] = self.parts.pop("queue")
                return
        if mode != "diagnose" or params["routes"] is not None:
            self._deliver()
            if mode != "compare":
                self._test()
            self._prove()
        if mode != "diagnose" and reads_queue and not (first or self._unreachable()):
            self._part("queue", run_queue, self._queue_params())

    def _detect(self) -> bool:
        """Detect the family of the host, unless the task names it; returns False if that failed.

        A host without Exchange counts as ``imc``, since that engine reports what is missing.
        """
        family, mode = self.params["family"], self.params["mode"]
        reads = mode == "diagnose" and self.params["queue"]["read"] is not False
        reads |= mode == "check"
        reads |= bool(self.params["read_resolver"]) and family == "transport"
        if family != "auto" and not reads:
            self.family = family
            return True
        found = self._part("exchange", run_exchange, spec.exchange_params(self.params))
        if came_to_nothing(found):
            return False
        seen = "transport" if found["family"] == "transport" else "imc"
        self.family = seen if family == "auto" else family
        return True

    def _check(self) -> None:
        """See what the account may read: by a comparison with nothing, or by cmdlets that look."""
        if self.family == "transport":
            self._part("rights", read_rights, {})
        elif self.parts["exchange"]["family"] == "imc":
            options = spec.imc_params({**self.params, "routes": [], "state": "present"})
            delivery = self._part("delivery", run_imc, options)
            if not came_to_nothing(delivery):
                self.parts["rights"] = self._seen(delivery)

    def _seen(self, delivery: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the account could read of an ``imc`` host, and what it lacks."""
        allowed, lacking = ["registry", "service"], []
        if delivery.get("routes_text"):
            allowed.append("route table")
        elif self.params["imc"]["missing_imccopy"] == "fail":
            problem = ExchangeError(f"{self.context.host}: {NO_IMCCOPY}", hint=NO_IMCCOPY_HINT)
            lacking.append({"what": "route table", "for": "pins", "msg": str(problem)})
        return {"changed": False, "allowed": allowed, "lacking": lacking}

    def _deliver(self) -> None:
        if self.family == "transport":
            options = spec.connectors_params(self.params)
            delivery = self._part("delivery", self._fenced(run_connectors), options)
        else:
            options = spec.imc_params(self.params)
            delivery = self._part("delivery", self._fenced(run_imc), options)
        restoring = spec.restores(self.params)
        lacking = restoring and delivery.get("failed") and delivery.get("no_backup")
        if lacking and spec.may_lack_backup(self.params, self.context.basedir):
            self.parts["delivery"] = {"changed": False, "no_backup": True, "msg": delivery["msg"]}

    def _fenced(self, engine: Engine) -> Engine:
        """Return the engine, which refuses to remove pins with ``refuse_removals``.

        It compares first, so that a refusal changes nothing.
        """
        if not self.params["refuse_removals"] or self.params["state"] != "exact":
            return engine

        def fenced(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
            compared = engine(params, replace(context, check_mode=True, progress=lambda _t: None))
            wanted = {parse_domain(route["domain"]) for route in params["routes"]}
            going = [name for name in changed_domains(compared) if name not in wanted]
            if going:
                raise ExchangeError(
                    f"{context.host}: state: exact would remove the pins of domains that are not"
                    f" listed: {listed(going)}. No changes were made.",
                    hint="List all domains, or confirm with mx_delivery_exact_confirm=true"
                    " (refuse_removals: false).",
                    details={"changed": False},
                )
            return compared if context.check_mode else engine(params, context)

        return fenced

    def _test(self) -> None:
        """Send test messages, to the domains that are worth one."""
        proofs = self.proofs
        unproved = proofs.domains if proofs and proofs.tests.use == "test" else ()
        domains = domains_to_test(self.params, self.parts["delivery"], unproved)
        if domains:
            # A diagnosis changes no setting, but sends the messages that it is asked for.
            checks = self.context.check_mode and self.params["mode"] != "diagnose"
            relays = self.parts["delivery"].get("relayed") or {}
            options = spec.test_params(self.family, self.params, domains, relays)
            context = replace(self.context, check_mode=checks)
            self._part("tests", run_test, options, context)

    def _prove(self) -> None:
        """Note which changes are proved now; the others are part of the result."""
        proofs, delivery = self.proofs, self.parts["delivery"]
        if proofs is None:
            return
        if proofs.tests.use == "forget":
            proofs.forget(check_mode=self.context.check_mode)
        elif proofs.tests.use == "test" and not self.context.check_mode:
            gone = [r["domain"] for r in self.params["routes"] or () if _is_gone(r)]
            results = (self.parts.get("tests") or {}).get("results") or ()
            without = {*map(parse_domain, (*gone, *spec.untested(self.params)))}
            if self.params["mode"] == "restore":  # what is not pinned any more has nothing to prove
                without |= {*proofs.domains} - pinned_afterwards(delivery)
            proofs.record(results, without)
        delivery["unproved"] = [each.to_dict() for each in proofs.unproved()]
        delivery["warnings"] = [*(delivery.get("warnings") or ()), *proofs.warnings]

    def _queue_params(self) -> dict[str, Any]:
        return spec.queue_params(self.family, self.params)

    def _part(
        self,
        name: str,
        engine: Callable[[Mapping[str, Any], Context], dict[str, Any]],
        options: Mapping[str, Any],
        context: Context | None = None,
    ) -> dict[str, Any]:
        """Run an engine; what it raises becomes a failed result in the place of its own."""
        try:
            result = engine(options, context or self.context)
        except ExchangeError as error:
            result = failed(error)
        self.proofs = result.pop("proofs", None) or self.proofs
        self.parts[name] = result
        return result

    def _unreachable(self) -> bool:
        return any(part.get("unreachable") for part in self.parts.values())

    def result(self) -> dict[str, Any]:
        """Return the result of the task."""
        parts = {name: self.parts.get(name) for name in PARTS}
        delivery = self.parts.get("delivery") or {}
        result = {
            "changed": any(part.get("changed") for part in self.parts.values())
            and self.params["mode"] != "diagnose",
            "mode": self.params["mode"],
            "family": self.family,
            "run_id": self.params["run_id"] or "",
            **parts,
            "failed_part": None,
            "diff": delivery.pop("diff", []),
            "warnings": list(delivery.get("warnings") or ()),
        }
        for name, part in parts.items():
            kind = next((key for key in ("unreachable", "failed") if (part or {}).get(key)), None)
            if part and kind:
                return result | {"failed_part": name, kind: True, "msg": part["msg"]}
        tests = self.parts.get("tests") or {}
        if tests.get("undelivered") and self.params["test"]["fail_on_undelivered"]:
            return result | {"failed_part": "tests", "failed": True, "msg": tests["msg"]}
        return result


def _is_gone(route: Mapping[str, Any]) -> bool:
    """True if more than one name server reports that a domain accepts no mail."""
    return route.get("status") in GONE_STATUSES and not route.get("unconfirmed")


def domains_to_test(
    params: Mapping[str, Any], delivery: Mapping[str, Any], unproved: Sequence[str] = ()
) -> Sequence[str]:
    """Return the domains that get a test message, at most ``test.limit``, in the order of routes.

    Those that are ``unproved`` since an earlier run come first, unless they accept no mail now.
    With ``changed`` they are those that the host sends by a new way, and all if the registry value
    changed, since it affects every domain; after a change of external DNS also those without a pin
    that get new addresses. Other domains are left out if they accept no mail, if nothing is known
    about them, if their change failed, is left to another host, or must be made by hand, and if
    their route has ``test: false``. A refused change does not prevent the tests of a diagnosis.
    """
    which, limit = params["test"]["domains"], params["test"]["limit"]
    refused = params["mode"] == "diagnose" and bool(delivery.get("refusals"))
    if which == "none" or (came_to_nothing(delivery) and not refused) or deferred(delivery):
        return []
    statuses = {
        parse_domain(route["domain"]): route.get("status") or "ok"
        for route in params["routes"] or ()
    }
    changed = changed_domains(delivery)
    first = [name for name in unproved if statuses.get(name) not in GONE_STATUSES]
    if params["mode"] == "restore":
        if any(delivery.get(key) for key in ("worksheet", "same_as", "no_backup")):
            return first[:limit]
        # Without a pin a domain is back where it was before, and its mail may not go out at all.
        led = pinned_afterwards(delivery)
        first = [name for name in first if name in led]
        wanted = [name for name in statuses if name in led]
        if which == "changed":
            everything = wanted if switch_changed(delivery) else ()
            others = [name for name in changed if is_domain(name) and name.lower() in led]
            wanted = list(dict.fromkeys([*everything, *others]))
    elif which == "stuck":
        wanted = [name for name, status in statuses.items() if status not in GONE_STATUSES]
    else:
        pinned = [name for name, status in statuses.items() if status == "ok"]
        new = {*params["also_test"], *worth_testing(delivery, pinned)}
        if which == "all":
            new |= set(pinned)
        else:
            new &= set(pinned)
        if changed_external_dns(delivery):  # Exchange asks it for domains that have no pin
            moving = {name for name, status in statuses.items() if status == "moving"}
            new |= moving - pinned_afterwards(delivery)
        wanted = [name for name in statuses if name in new]
    quiet = set(map(parse_domain, spec.untested(params)))
    chosen = dict.fromkeys((*first, *wanted))
    return [name for name in chosen if name not in quiet][:limit]


MODULE = EngineModule(spec.ARGUMENT_SPEC, run, connects=connect)
