# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Send connector, as far as this collection reads and writes it, and which one mail takes.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from .._base.errors import ExchangeError, InvalidInput
from .canonical import AddressSpace, address_space, boolean, server_name, smart_host

_COMMENT = (
    "postmaster.exchange: delivers {domain} to its MX addresses. Managed by Ansible; see Q169781."
    " Pin {run}-{proof}."
)
_OURS = re.compile(
    re.escape(_COMMENT)
    .replace(r"\{domain\}", r"(?P<domain>\S{1,253})")
    .replace(r"\{run\}-\{proof\}", r"(?P<run>[0-9a-f]{16})-(?P<proof>[0-9a-f]{16})")
    .replace(r"\{run\}\-\{proof\}", r"(?P<run>[0-9a-f]{16})-(?P<proof>[0-9a-f]{16})"),
)
_NOTES = {kind: re.compile(rf" \[{kind}: [^\[\]]*\]") for kind in ("note", "change")}
_BRACKETS = str.maketrans("[]", "()")
#: No document names the most that Exchange takes; this is below what the directory documents for
#: descriptions (adminDescription, 1,024).
_LONGEST_COMMENT = 1000
_RUN_LENGTH = 16
#: Stands for the run in plans that no run carries out.
NO_RUN = "0" * _RUN_LENGTH

#: What a new pin inherits from the current connector besides the source servers, since it protects
#: or identifies the mail; each with the value that Exchange gives a connector by itself.
_INHERITED: dict[str, Any] = {
    "ConnectionInactivityTimeOut": "00:10:00",
    "ErrorPolicies": "Default",
    "ForceHELO": False,
    "Fqdn": "",
    "FrontendProxyEnabled": False,
    "IgnoreSTARTTLS": False,
    "IsScopedConnector": False,
    "MaxMessageSize": "",
    "ProtocolLoggingLevel": "None",
    "RequireTLS": False,
    "SmtpMaxMessagesPerConnection": 20,
    "SourceIPAddress": "0.0.0.0",
    "TlsAuthLevel": "",
    "TlsCertificateName": "",
    "TlsDomain": "",
}


_T = TypeVar("_T")
_NEEDED = ("DNSRoutingEnabled", "Enabled")  # of each connector; without them nothing is known


def run_mark(run_id: str) -> str:
    """Return the mark of a run in the comments of its pins; a run without a name gets a new one.

    All hosts of a run have the same one, and a comparison shows what the run writes.
    """
    if not run_id:
        return secrets.token_hex(_RUN_LENGTH // 2)
    return hashlib.sha256(run_id.encode()).hexdigest()[:_RUN_LENGTH]


def comment_for(domain: str, run: str = NO_RUN) -> str:
    """Return the comment that marks a connector of ours; an administrator may add to it.

    It holds which ``run`` made the pin, and a digest of that and the domain, which no comment has
    that was typed, or copied from another domain's pin.
    """
    return _COMMENT.format(domain=domain, run=run, proof=_proof(domain, run))


def _proof(domain: str, run: str) -> str:
    return hashlib.sha256(f"{_COMMENT} {domain} {run}".encode()).hexdigest()[:_RUN_LENGTH]


def origin_of(comment: str) -> tuple[str, str]:
    """Return the domain and the run in a comment of ours; both empty in any other."""
    match = _OURS.match(comment)
    if match is None or match["proof"] != _proof(match["domain"], match["run"]):
        return "", ""
    return match["domain"], match["run"]


def of_any_run(comment: str) -> str:
    """Return a comment of ours without its run, for plans that another run carries out."""
    domain, run = origin_of(comment)
    return comment.replace(comment_for(domain, run), comment_for(domain), 1) if domain else comment


def noted(comment: str, *, note: str = "", change: str = "") -> str:
    """Return a comment of ours with notes behind it, each in the place of a former one.

    ``note`` is why the domain is pinned, ``change`` why the connector was changed last; an empty
    one leaves what is there. What an administrator added stays. A comment that would become too
    long stays as it is.
    """
    written = comment
    for kind, text in (("note", note), ("change", change)):
        if text:
            mark = f" [{kind}: {text.translate(_BRACKETS)}]"
            found = _NOTES[kind].search(written)
            at, end = found.span() if found else (len(written), len(written))
            written = f"{written[:at]}{mark}{written[end:]}"
    return written if len(written) <= _LONGEST_COMMENT else comment


def without_change(comment: str) -> str:
    """Return a comment without the note on the last change, which decides about nothing."""
    return _NOTES["change"].sub("", comment)


def is_ours(comment: str, domains: Iterable[str]) -> bool:
    """True if a comment marks a pin of ours and names a domain that its connector serves."""
    domain, _run = origin_of(comment)
    return bool(domain) and domain in domains


@dataclass(frozen=True, slots=True)
class Settings:
    """What a pin decides about its connector; compared and written as one.

    ``smart_hosts`` and ``source_servers`` are equals for Exchange, so they are kept sorted.
    ``source_servers`` empty means: as it is (Exchange's own choice for a new connector). ``note``
    is why the domain is pinned; empty leaves the one that is there.
    """

    domain: str
    smart_hosts: tuple[str, ...]
    cost: int = 1
    source_servers: tuple[str, ...] = ()
    port: int = 25
    tls_auth_level: str | None = None
    tls_domain: str | None = None
    require_tls: bool | None = None
    protocol_logging: str | None = None
    note: str = ""

    def sorted(self) -> Settings:
        """Return the settings with their smart hosts in order, each once."""
        return replace(self, smart_hosts=tuple(sorted(set(self.smart_hosts))))


@dataclass(frozen=True, slots=True)
class Connector:
    """A Send connector as ``Get-SendConnector`` shows it, in canonical forms.

    ``unread`` are the values in no form that is known, by property; smart hosts are kept
    unchanged, since they are only compared with the required ones.
    """

    identity: str
    name: str
    address_spaces: tuple[AddressSpace, ...]
    smart_hosts: tuple[str, ...]
    dns_routing: bool
    auth_mechanism: str
    enabled: bool
    comment: str
    port: int
    source_servers: tuple[str, ...]
    require_tls: bool
    tls_auth_level: str | None
    tls_domain: str | None
    protocol_logging: str
    scoped: bool
    created: str
    unread: Mapping[str, str] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether this collection made the connector, or adopted it."""
        return is_ours(self.comment, self.domains)

    @property
    def made_by(self) -> str:
        """The run that made it, as ``run_mark`` has it; empty where it is not ours."""
        return origin_of(self.comment)[1]

    @property
    def changed_pin(self) -> str:
        """The domain of a pin that has other address spaces now; empty for all others."""
        domain = origin_of(self.comment)[0]
        return "" if domain == (self.pinned_domain or "") else domain

    @property
    def domains(self) -> tuple[str, ...]:
        """SMTP address spaces of the connector, without their costs."""
        return tuple(space.address for space in self.address_spaces if space.kind == "SMTP")

    @property
    def hybrid(self) -> bool:
        """Whether it leads to Exchange Online, and so belongs to the hybrid configuration."""
        return _true(self.raw.get("CloudServicesMailEnabled"))

    @property
    def domain_secure(self) -> bool:
        """True if it demands mutual TLS, which Exchange supports only with routing by DNS."""
        return _true(self.raw.get("DomainSecureEnabled"))

    @property
    def logs_in(self) -> bool:
        """True if it logs in at its smart hosts, with a password that cannot be read back."""
        return self.auth_mechanism.casefold().startswith("basicauth")

    @property
    def in_conflict(self) -> bool:
        """Whether Active Directory renamed it, since two were made of one name at two places."""
        return "CNF:" in self.name

    def covers(self, domain: str) -> int:
        """Return how specifically an address space fits a domain; less than 0 if none does.

        0 is ``*``. The more labels fit the better, and the domain itself beats ``*.domain``, which
        covers the domain as well as those below it (learn.microsoft.com, "Send connectors").
        """
        return max((_covers(space, domain) for space in self.address_spaces), default=-1)

    def cost_for(self, domain: str) -> int:
        """Return the cost of the address space that fits a domain best."""
        best = self.covers(domain)
        return min(s.cost for s in self.address_spaces if _covers(s, domain) == best)

    @property
    def pinned_domain(self) -> str | None:
        """The only domain of a connector, or ``None`` if it has several address spaces."""
        return self.domains[0] if len(self.address_spaces) == 1 and self.domains else None


def _rank(connector: Connector, domain: str) -> tuple[int, int, str]:
    """Return the order in which Exchange takes connectors, but for how near they are."""
    return -connector.covers(domain), connector.cost_for(domain), connector.name.casefold()


def _covers(space: AddressSpace, domain: str) -> int:
    if space.kind != "SMTP":
        return -1
    if space.address == "*":
        return 0
    if space.address.startswith("*."):
        base = space.address[2:]
        fits = domain == base or domain.endswith(f".{base}")
        return 2 * (base.count(".") + 1) if fits else -1
    return 2 * (domain.count(".") + 1) + 1 if space.address == domain else -1


@dataclass(frozen=True, slots=True)
class Connectors:
    """The connectors of an organisation, so that those of a domain are found in one step."""

    all: tuple[Connector, ...]
    _of: dict[str, list[Connector]] = field(init=False, repr=False, default_factory=dict)
    _wildcards: list[Connector] = field(init=False, repr=False, default_factory=list)
    _odd: list[Connector] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        """Sort them by the domains that they name."""
        for connector in self.all:
            for domain in dict.fromkeys(connector.domains):
                self._of.setdefault(domain, []).append(connector)
            if any(domain.startswith("*") for domain in connector.domains):
                self._wildcards.append(connector)
            if connector.unread:
                self._odd.append(connector)

    def of(self, domain: str) -> Sequence[Connector]:
        """Return those that name this very domain."""
        return self._of.get(domain, ())

    def current(self, domain: str) -> Connector | None:
        """Return the connector by which Exchange sends mail for a domain, or None.

        Exchange takes the most specific address space, then the lowest cost, then a near source
        server, then the lowest name (learn.microsoft.com, "Mail routing"). Nearness depends on
        where a message is, so it is passed over.
        """
        everywhere = (c for c in self._fitting(domain) if not c.scoped)
        return min(everywhere, key=lambda c: _rank(c, domain), default=None)

    def carriers(self, domain: str, sites: Mapping[str, str]) -> tuple[Connector, ...]:
        """Return all connectors by which mail for a domain leaves now, that of all sites first.

        A scoped connector is for servers of the Active Directory site of its source servers only
        (New-SendConnector, IsScopedConnector). ``sites`` has the site of each server; one that it
        lacks counts as a site of its own.
        """
        everywhere = self.current(domain)
        found = [everywhere] if everywhere else []
        by_site: dict[str, list[Connector]] = {}
        for connector in self._fitting(domain):
            for server in connector.source_servers if connector.scoped else ():
                by_site.setdefault(sites.get(server, server), []).append(connector)
        for site, local in sorted(by_site.items()):
            rivals = [*local, *([everywhere] if everywhere else [])]

            def rank(rival: Connector, site: str = site) -> tuple[int, int, bool, str]:
                near = any(sites.get(server, server) == site for server in rival.source_servers)
                covers, cost, name = _rank(rival, domain)
                return covers, cost, not near, name

            best = min(rivals, key=rank)
            found += [best] if best not in found else []
        return tuple(found)

    def _fitting(self, domain: str) -> Iterator[Connector]:
        """Yield the enabled connectors that cover a domain, each once."""
        every = {c.identity: c for c in (*self.of(domain), *self._wildcards) if c.enabled}
        return (c for c in every.values() if c.covers(domain) >= 0)

    def unread(self, domain: str) -> tuple[Connector, str] | None:
        """Return a connector that matters for a domain, and a value of it that is not known."""
        for connector in self._odd:
            spaces = connector.unread.get("AddressSpaces", "")
            if domain in re.split(r"[^\w.-]+", spaces.casefold()):
                return connector, f"AddressSpaces {spaces!r:.80}"
            if connector in self.of(domain) or connector in self.carriers(domain, {}):
                name, value = next(iter(connector.unread.items()))
                return connector, f"{name} {value!r:.80}"
        return None

    def competing(self, pin: Connector, domain: str) -> list[Connector]:
        """Return the others that Exchange may use for this very domain in place of a pin."""
        cost = pin.cost_for(domain)
        return [
            other
            for other in self.of(domain)
            if other.identity != pin.identity and other.enabled and other.cost_for(domain) <= cost
        ]


def inherited_settings(connector: Connector | None) -> dict[str, Any]:
    """Return the parameters that a new pin inherits from the connector that is current.

    A pin changes where mail goes, and nothing else: the same servers go on sending it, under the
    same name, with the same limits and protection, or the far side would meet a stranger. Values
    that Exchange gives by itself are left out.
    """
    if connector is None:
        return {}
    settings: dict[str, Any] = {
        name: value
        for name, default in _INHERITED.items()
        if (value := connector.raw.get(name)) not in (None, "") and str(value) != str(default)
    }
    servers = list(texts(connector.raw.get("SourceTransportServers")))
    return settings | ({"SourceTransportServers": servers} if servers else {})


def _true(value: object) -> bool:
    return str(value).strip().lstrip("$").casefold() == "true"


def texts(value: object) -> tuple[str, ...]:
    """Return a multi-valued property as texts, in whatever form it came."""
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(map(str, value)) if isinstance(value, Sequence) else (str(value),)


def connector_from(properties: Mapping[str, Any], host: str) -> Connector:
    """Read one object of ``Get-SendConnector``.

    A value in a form that is not known is kept as text and listed in ``unread``: organisations have
    connectors of all kinds, and most do not serve a listed domain. Raises ExchangeError if the
    object lacks its name or its address spaces: half an answer never reads as *absent*.
    """
    unread: dict[str, str] = {}

    def value(name: str, read: Callable[[Any], _T], default: _T) -> _T:
        given = properties.get(name)
        if given in (None, ""):
            if name in _NEEDED:
                unread[name] = ""
            return default
        try:
            return read(given)
        except (ValueError, TypeError, OverflowError, InvalidInput):
            unread[name] = str(given)
            return default

    def optional(name: str) -> str | None:
        return str(properties.get(name) or "").strip() or None

    def space(text: str) -> AddressSpace:
        try:
            return address_space(text)
        except InvalidInput:
            unread["AddressSpaces"] = text
            return AddressSpace(text, kind="")

    try:
        identity, name = str(properties.get("Guid") or properties["Identity"]), properties["Name"]
        spaces = tuple(sorted(space(text) for text in texts(properties["AddressSpaces"])))
    except KeyError as error:
        raise ExchangeError(
            f"{host}: a Send connector has no {error.args[0]}.",
            hint="Run Get-SendConnector | Format-List, and report its output.",
        ) from error
    return Connector(
        identity=identity,
        name=str(name),
        address_spaces=spaces,
        smart_hosts=tuple(sorted({_host(x) for x in texts(properties.get("SmartHosts"))})),
        dns_routing=value("DNSRoutingEnabled", boolean, default=False),
        auth_mechanism=optional("SmartHostAuthMechanism") or "None",
        enabled=value("Enabled", boolean, default=True),
        comment=str(properties.get("Comment") or ""),
        port=value("Port", int, 25),
        source_servers=tuple(
            sorted({server_name(x) for x in texts(properties.get("SourceTransportServers"))})
        ),
        require_tls=value("RequireTLS", boolean, default=False),
        tls_auth_level=optional("TlsAuthLevel"),
        tls_domain=optional("TlsDomain"),
        protocol_logging=optional("ProtocolLoggingLevel") or "None",
        scoped=value("IsScopedConnector", boolean, default=False)
        or any(each.scoped for each in spaces),
        created=str(properties.get("WhenCreatedUTC") or properties.get("WhenCreated") or ""),
        unread=unread,
        raw=dict(properties),
    )


def _host(text: str) -> str:
    """Return a smart host in its canonical form, or as it is where that is not known."""
    try:
        return smart_host(text)
    except InvalidInput:
        return text.strip()
