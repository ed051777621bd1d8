# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence about a host, and about each domain with delayed mail there. Pure.

Only the host can show which servers it reaches: by the last error of a queue, its SMTP log, or a
test message. DNS was asked from the controller. Both families of Exchange give the same evidence.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._imc.host import VALUE_NAME, build_number
from .._mail.smtp_errors import ErrorClass, Origin, SmtpError
from .._report.host_result import NOT_CHECKED, HostResult
from .._report.text import failure_of
from .._run.changed_domains import changed_domains, rows_by_domain, table_rows

Result = Mapping[str, Any]

_BY_SMART_HOST = "smarthostconnectordelivery"
_NOTHING_LISTENS = frozenset({"stopped", "stop_pending", "start_pending", "paused"})


@dataclass(frozen=True, slots=True)
class StuckDomain:
    """One domain with delayed mail on one host.

    ``error`` is the last one, ``status`` and ``resolved`` are what DNS has of the domain.
    ``suffixes`` may be appended to names there, and are if ``appends``. ``pins`` are the addresses
    of a route or connector of this collection; ``relay`` is the smart host of another connector
    that carries the domain, unless that is a mail server of the domain. ``repins`` is whether
    pinning changes anything, ``by_hand`` whether no tool can, ``conflict`` what keeps the domain
    from being pinned. ``arrived`` is the verdict of a test message that just left, ``onward`` who
    has it if that is a relay or an Edge server. ``blocked`` is why the service sends nothing.
    ``parent`` is the domain above it with the route that takes its mail, to ``parent_hosts``.
    ``silent`` are addresses that accept a connection of this host and send no greeting. ``refused``
    is true if nothing can be pinned on the host, and ``build`` that of Exchange 4.0 to 5.5.
    """

    domain: str
    transport: bool = False
    error: SmtpError | None = None
    resolved: Result | None = None
    suffixes: tuple[str, ...] = ()
    appends: bool = False
    pins: tuple[str, ...] = ()
    by_smart_hosts: bool = False
    relay: str = ""
    repins: bool = False
    by_hand: bool = False
    conflict: str = ""
    arrived: str = ""
    onward: str = ""
    blocked: str = ""
    parent: str = ""
    parent_hosts: tuple[str, ...] = ()
    silent: frozenset[str] = frozenset()
    refused: bool = False
    build: int | None = None

    @property
    def status(self) -> str:
        """The DNS status of the domain, or an empty string."""
        return str(self.resolved["status"]) if self.resolved else ""

    @property
    def addresses(self) -> list[str]:
        """The addresses of the domain in DNS."""
        return [str(pair["address"]) for pair in (self.resolved or {}).get("pairs") or ()]

    @property
    def answering(self) -> list[str]:
        """The addresses of the domain in DNS but for silent ones, or all where all are silent."""
        return [one for one in self.addresses if one not in self.silent] or self.addresses

    @property
    def mail_servers(self) -> int:
        """How many mail servers it has."""
        return len({pair["exchange"] for pair in (self.resolved or {}).get("pairs") or ()})

    @property
    def error_class(self) -> ErrorClass | None:
        """The class of the last error."""
        return self.error.error_class if self.error else None

    @property
    def reply(self) -> SmtpError | None:
        """The last error if it is the reply of the next hop."""
        return self.error if self.error and self.error.far_reply else None

    @property
    def asks_dns(self) -> bool:
        """Whether DNS for this very domain is what failed."""
        return self.error_class is ErrorClass.DNS and not self.by_smart_hosts

    @property
    def can_be_pinned(self) -> bool:
        """Whether a pin would help mail that goes to the addresses of DNS now."""
        refused = self.relay or self.conflict or self.refused
        return self.status == "ok" and not refused

    def warnings(self, *codes: str) -> list[Result]:
        """Return the warnings of mx_pairs_info with these codes."""
        every = (self.resolved or {}).get("warnings") or ()
        return [warning for warning in every if warning["code"] in codes]

    def next_hop(self, otherwise: str = "the other mail server") -> str:
        """Return the name of the server that was tried, as far as it is known."""
        return (self.error and (self.error.address or self.error.host_name)) or otherwise


@dataclass(frozen=True, slots=True)
class HostEvidence:
    """The parts of one host's result; None for a part that did not run."""

    name: str
    exchange: Result | None = None
    queue: Result | None = None
    delivery: Result | None = None
    tests: Result | None = None
    needed: Sequence[Result] = ()

    @classmethod
    def of(cls, host: HostResult) -> HostEvidence:
        """Return the evidence in a host's result."""
        parts = host.exchange, host.queue, host.delivery or host.compared, host.tests
        return cls(host.name, *parts, needed=host.needed[:-1])

    @property
    def transport(self) -> bool:
        """Whether it is a host of Exchange 2010 or later."""
        return (self.exchange or {}).get("family") == "transport"

    @property
    def failure(self) -> str:
        """Why nothing is known of the host, or nothing.

        Whether pinning would change its connectors is not needed to explain what waits there; nor
        why a pin was refused.
        """
        needs_plan = not self.transport and not self.refusals
        parts = [self.exchange, self.queue] + ([self.delivery] if needs_plan else [])
        text = next(filter(None, map(failure_of, (*self.needed, *parts))), "")
        if not text and None in parts:
            text = failure_of(self.delivery) or NOT_CHECKED
        return text.removeprefix(f"{self.name}: ")

    @property
    def refusals(self) -> list[str]:
        """Why the host must not be changed, as clauses."""
        return [str(text) for text in (self.delivery or {}).get("refusals") or ()]

    @property
    def resolver(self) -> Result:
        """How the host looks names up."""
        return (self.exchange or {}).get("resolver") or {}

    @property
    def misspelled(self) -> bool:
        """Whether the registry value exists under a name that Exchange ignores."""
        name = self.resolver.get("stored_name")
        return name is not None and name != VALUE_NAME

    @property
    def appends(self) -> bool:
        """Whether the Internet Mail Connector appends its search list to names (Q150969)."""
        if self.transport:
            return False  # it lacks such a switch
        return not self.resolver.get("search_list_disabled") or self.misspelled

    @property
    def build(self) -> int | None:
        """The build of the Internet Mail Connector, by its banner or by Setup."""
        exchange = {} if self.transport else self.exchange or {}
        return build_number(str(exchange.get("service_build") or "")) or exchange.get("build")

    @property
    def malformed_rows(self) -> list[str]:
        """The rows of the route table that the service cannot parse (event 4056)."""
        return [str(row) for row in (self.delivery or {}).get("malformed_rows") or ()]

    @property
    def service(self) -> str:
        """The state of the service MSExchangeIMC, or nothing."""
        return "" if self.transport else str((self.queue or {}).get("service") or "")

    @property
    def service_down(self) -> bool:
        """Return true if the service is not running."""
        return self.service.lower() in _NOTHING_LISTENS

    @property
    def blocked(self) -> str:
        """Why the service sends nothing at all: ``malformed``, ``stopped``, or nothing."""
        down = "malformed" if self.malformed_rows else "stopped"
        return down if self.service_down else ""

    def stuck_domains(
        self, domains: Mapping[str, Result], suffixes: Iterable[str]
    ) -> list[StuckDomain]:
        """Return the domains with delayed mail, most messages first.

        ``domains`` are those of mx_pairs_info by name, ``suffixes`` those named besides the host's.
        """
        queue = self.queue or {}
        stuck = set(queue.get("stuck_domains") or ())
        resolver = (self.resolver.get("domain") or "", *(self.resolver.get("search_list") or ()))
        appended = [name.lower().strip(".") for name in (*resolver, *suffixes) if name]
        silent = (hop["address"] for hop in queue.get("next_hops") or () if hop["silent"])
        common = StuckDomain(
            "",
            transport=self.transport,
            suffixes=tuple(dict.fromkeys(appended)),
            appends=self.appends,
            blocked=self.blocked,
            silent=frozenset(silent),
            refused=not self.transport and bool(self.refusals),
            build=self.build,
        )
        results = []
        for entry in queue.get("queues") or ():
            name = str(entry["domain"])
            if name in stuck:
                domain = replace(common, domain=name, resolved=domains.get(name))
                results.append(self._with_test(self._with_error(self._with_plan(domain), entry)))
        return results

    def _with_error(self, domain: StuckDomain, entry: Result) -> StuckDomain:
        """Add the last error, and the smart host of a connector that carries the domain."""
        queues = (self.queue or {}).get("transport_queues") or ()
        mine = [queue for queue in queues if domain.domain in queue["domains"]]
        by_smart_host = [
            queue for queue in mine if str(queue["delivery_type"]).casefold() == _BY_SMART_HOST
        ]
        error = next(filter(None, (self._error(one) for one in (entry, *mine))), None)
        # In the SMTP log of 4.0 to 5.5, the address in a reply most often is this host's.
        foreign = error is not None and error.address not in domain.addresses
        if error and error.far_reply and foreign and not self.transport:
            error = replace(error, address=None)
        smart = bool(mine) and len(by_smart_host) == len(mine)
        hops = [str(queue.get("next_hop") or "a smart host") for queue in by_smart_host]
        relay = hops[0] if smart and not domain.pins else ""
        if relay and {hop.strip("[] ") for hop in relay.split(",")} <= {*domain.addresses}:
            relay = ""  # the pin of an administrator
        if relay and error and error.origin is Origin.FAR_SERVER:
            error = replace(error, origin=Origin.RELAY)
        return replace(domain, error=error, by_smart_hosts=smart, relay=relay)

    def _error(self, entry: Result) -> SmtpError | None:
        """Return the error of an entry; the host itself is never the next hop."""
        if not entry.get("error"):
            return None
        error = SmtpError.from_dict(entry["error"])
        servers = (self.exchange or {}).get("servers") or ()
        names = [self.name, (self.exchange or {}).get("server")]
        names += [server.get(key) for server in servers for key in ("name", "fqdn")]
        names += (self.exchange or {}).get("addresses") or ()
        own = {str(name).casefold() for name in names if name}
        if error.address in own:
            error = replace(error, address=None)
        if error.host_name and error.host_name.casefold() in own:
            error = replace(error, host_name=None)
        return error

    def _with_plan(self, domain: StuckDomain) -> StuckDomain:
        """Add where the host sends the domain now, and whether a pin would change that."""
        delivery = self.delivery or {}
        name = domain.domain
        pins: Sequence[str] = ()
        for connector in (delivery.get("connectors") or {}).get("before") or ():
            spaces = connector.get("address_spaces") or ()
            names = [str(one).partition(":")[2].rpartition(";")[0].lower() for one in spaces]
            if names == [name] and connector.get("enabled", True):
                pins = [str(host).strip("[]") for host in connector.get("smart_hosts") or ()]
                break
        else:
            before, _after = table_rows(delivery)
            targets = [target for target, _flag in rows_by_domain(before).get(name, ())]
            pins = [host.strip() for target in targets for host in target.split(",") if host]
        conflicts = {one["domain"]: one for one in delivery.get("refused") or ()}
        conflict = conflicts.get(name) or {}
        connector, reason = conflict.get("connector"), str(conflict.get("reason") or "")
        every = delivery.get("led_by_parent") or ()
        led: Result = next((x for x in every if x["domain"] == name and x["before"]), {})
        return replace(
            domain,
            pins=tuple(pins),
            repins=name in changed_domains(delivery),
            by_hand=name in {row["domain"] for row in delivery.get("worksheet") or ()},
            conflict=f"the connector {connector!r} {reason}" if connector else reason,
            parent=str(led.get("parent") or ""),
            parent_hosts=tuple(led.get("hosts") or ()),
        )

    def _with_test(self, domain: StuckDomain) -> StuckDomain:
        """Add the result of a test message, the newest evidence that there is."""
        for result in (self.tests or {}).get("results") or ():
            if result["domain"] == domain.domain:
                verdict = result["verdict"]
                if verdict in {"delivered", "relayed"}:
                    onward = str(result["reason"]) if verdict == "relayed" else ""
                    return replace(domain, arrived=verdict, onward=onward)
                if result.get("error"):
                    error = SmtpError.from_dict(result["error"])
                    source = f"test message, {error.source or verdict}"
                    return replace(domain, error=replace(error, source=source))
        return domain
