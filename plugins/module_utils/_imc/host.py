# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with Exchange 4.0 to 5.5: its service, builds, folders, and what TCP/IP has for names.

One command line asks for all of it that is not known yet; nothing is changed. A failed read is
never taken for "absent": the words of ``reg`` and ``sc`` are translated, so exit codes and numbers
decide. The host may be another computer than the one that runs the commands: then registry, service
and files are reached over the network.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from ntpath import dirname

from .._base.errors import ExchangeError, InvalidInput
from .._remote.commands import computer_name, reg_query, sc, windows_path
from .._remote.parse import (
    RegistryValue,
    canonical_key,
    excerpt,
    find_value,
    parse_reg_query,
    parse_sc_state,
    values_of,
)
from .._remote.session import Batch, Section, Session
from .._remote.windows_resolver import (
    NETWORK_KEY,
    is_suffix,
    names_in,
    nameservers_in,
    odd_note,
    suffixes,
)

SERVICE_NAME = "MSExchangeIMC"
CLUSTER_SERVICE = "ClusSvc"  # it is there on every node of a cluster
SERVICE_KEY = rf"HKLM\SYSTEM\CurrentControlSet\Services\{SERVICE_NAME}"
PARAMETERS_KEY = rf"{SERVICE_KEY}\Parameters"
SETUP_KEY = r"HKLM\SOFTWARE\Microsoft\Exchange\Setup"
#: Where Windows keeps the name that a computer has now, whatever else it is reached by.
COMPUTER_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName"
ATTENDANT_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeSA\Parameters"
#: The articles call the name case-sensitive, so a stored name that differs in case is repaired.
VALUE_NAME = "DisableResolverSearchList"

#: The facts of a host, by the names of their sections: the service, its key (start type),
#: its parameters (folder, switch), Exchange's build, the tracking log's folder, and TCP/IP.
EVERYTHING = ("service", "control", "parameters", "setup", "attendant", "network")
_KEYS = {
    "control": SERVICE_KEY,
    "parameters": PARAMETERS_KEY,
    "setup": SETUP_KEY,
    "attendant": ATTENDANT_KEY,
    "network": NETWORK_KEY,
}
_TIMEOUT = 60.0

#: First and last build of each version, hotfixes included (Q257618).
_RANGES = {"4.0": (837, 999), "5.0": (1457, 1499), "5.5": (1960, 2699)}
_SERVICE_PACKS = {837: "RTM", 838: "SP1", 993: "SP2", 994: "SP3", 995: "SP4", 996: "SP5"}
_SERVICE_PACKS |= {1457: "RTM", 1458: "SP1", 1460: "SP2"}
_SERVICE_PACKS |= {1960: "RTM", 2232: "SP1", 2448: "SP2", 2650: "SP3", 2653: "SP4"}

#: The banner of 5.0 and 5.5 (Q182821), and what 4.0 may have in place of it.
_BANNER = re.compile(
    r"Microsoft Exchange Internet Mail (?:Service|Connector) <?([45]\.\d\.\d{3,4}\.\d{1,4})\b",
    re.ASCII,
)
_BANNER_PARTS = 4

#: Documented faults of mail to several mail servers: the article, the first build that has it, the
#: first one that has not, and the service pack with that build.
_FAULTS = (
    ("Q164457", 837, 995, "4.0 SP4"),  # NDR for domains that end like the own one
    ("Q166604", 837, 996, "4.0 SP5"),  # behind a firewall, the second MX is not tried
    ("Q152165", 1457, 1458, "5.0 SP1"),  # MX of equal preference are used unevenly
    ("Q166604", 1457, 1458, "5.0 SP1"),
    ("Q175982", 1457, 1460, "5.0 SP2"),  # a silent server stops all mail of its domain
    ("Q182821", 1960, 2232, "5.5 SP1"),  # a silent server blocks those after it
    ("Q175982", 1960, 2232, "5.5 SP1"),
    ("Q184542", 1960, 2232, "5.5 SP1"),  # slow start with a long queue
    ("Q267245", 1960, 2653, "5.5 SP4"),  # NDR or loss where one of several MX is down
    ("Q265727", 1960, 2653, "5.5 SP4"),  # crash at the next address
)
#: The service pack that ends the last of them.
LAST_FIX, _LAST_FIX_BUILD = "5.5 SP4", 2653
#: More suffixes than these crash the service of 5.0 and 5.5 when it starts (Q185025).
MOST_SUFFIXES = 6
#: The service goes past a silent mail server since these builds, 4.0 SP5 and 5.5 SP1.
_NEXT_MX_4, _NEXT_MX_55 = 996, 2232
_DIGITS_SINCE = 1460  # names may begin with a digit since 5.0 SP2 (Q146677, Q168735)

NOT_INSTALLED = 1060  # ERROR_SERVICE_DOES_NOT_EXIST, of sc
_REASONS = {
    5: "access is denied",
    1326: "the logon failed",
    1722: "the RPC server is unavailable",
}
_LOGON_REFUSED = frozenset({5, 1326})
_START_TYPES = {0: "boot", 1: "system", 2: "auto", 3: "manual", 4: "disabled"}
_DISABLED = 4

Values = Mapping[str, RegistryValue]
Sections = Mapping[str, Section]


class MissingService(ExchangeError):  # noqa: N818 - reads as what it is
    """The computer has no Internet Mail Connector: certain, not merely unseen."""


class ServiceState(IntEnum):
    """States as ``sc query`` numbers them; its words are translated."""

    STOPPED = 1
    START_PENDING = 2
    STOP_PENDING = 3
    RUNNING = 4
    CONTINUE_PENDING = 5
    PAUSE_PENDING = 6
    PAUSED = 7

    @property
    def words(self) -> str:
        """The state, for messages and results."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Service:
    """State and start type of the service; ``start_type`` is the registry's ``Start``."""

    state: ServiceState
    start_type: int | None

    @property
    def runs(self) -> bool:
        """Whether a restart would renew its settings, loaded or about to be loaded."""
        return self.state in {ServiceState.RUNNING, ServiceState.START_PENDING}

    @property
    def disabled(self) -> bool:
        """Whether it could not be started again once stopped."""
        return self.start_type == _DISABLED

    @property
    def words(self) -> str:
        """The state, for messages and results."""
        return self.state.words

    @property
    def start_words(self) -> str:
        """The start type, for messages and results."""
        return _START_TYPES.get(-1 if self.start_type is None else self.start_type, "unknown")


@dataclass(frozen=True, slots=True)
class Release:
    """A version of Exchange; ``service_pack`` is None for an unlisted build."""

    version: str
    service_pack: str | None

    @property
    def has_pickup(self) -> bool:
        """Whether it sends files dropped into RootDir\\Pickup (KB Q201314)."""
        return self.version == "5.5"

    @property
    def relays(self) -> bool:
        """Whether SMTP mail for other systems goes on; that came with 5.0 (Q148985, Q169683)."""
        return self.version != "4.0"

    @property
    def has_smtp_events(self) -> bool:
        """Whether it tracks the events 1010 to 1018 (KB Q173364, Q174078)."""
        return self.version != "4.0"


def release_of(build: int | None) -> Release | None:
    """Return the release a build belongs to; None for a build outside 4.0 to 5.5."""
    for version, (first, last) in _RANGES.items():
        if build is not None and first <= build <= last:
            return Release(version, _SERVICE_PACKS.get(build))
    return None


def banner_build(banner: str) -> str:
    """The version, build and revision of the service in its SMTP banner, or nothing (Q257618)."""
    found = _BANNER.search(banner)
    return found[1] if found else ""


def build_number(text: str) -> int | None:
    """The build in a text such as ``5.5.2653.13``, or None."""
    parts = text.split(".")
    return int(parts[2]) if len(parts) == _BANNER_PARTS and parts[2].isdecimal() else None


def build_warning(build: int | None) -> str:
    """The documented faults of a build with several mail servers, and what ends them."""
    release = release_of(build)
    faults = [each for each in _FAULTS if build is not None and each[1] <= build < each[2]]
    if release is None or not faults:
        return ""
    articles = ", ".join(dict.fromkeys(article for article, *_builds in faults))
    name = " ".join(filter(None, ("Exchange", release.version, release.service_pack)))
    return (
        f"{name} (build {build}) has documented faults with several mail servers of a domain"
        f" ({articles}). Exchange {faults[-1][-1]} ends them."
    )


def has_every_fix(build: int | None) -> bool:
    """True for a build without documented faults with several mail servers."""
    return release_of(build) is not None and (build or 0) >= _LAST_FIX_BUILD


def silence_cure(build: int | None) -> str:
    """The sentence that names what makes the service go past a silent mail server, or nothing."""
    release = release_of(build)
    if release is None or build is None:
        return "Exchange 5.5 SP1 or later goes on to the next server (Q182821)."
    if release.version == "4.0":
        return "" if build >= _NEXT_MX_4 else "Exchange 4.0 SP5 ends the fault (Q166604)."
    if release.version == "5.0":
        return "A hotfix after Exchange 5.0 SP2 ends the fault, and so does 5.5 SP1 (Q182821)."
    return "" if build >= _NEXT_MX_55 else "Exchange 5.5 SP1 ends the fault (Q182821)."


def edits_long_tables(build: int | None) -> bool:
    """Whether the Administrator program of a build keeps long tables whole (Q182522, Q242221)."""
    return release_of(build) is not None and (build or 0) >= _NEXT_MX_55


def takes_digits(build: int | None) -> bool:
    """Whether the Administrator program accepts names that begin with a digit."""
    return build is None or build >= _DIGITS_SINCE


@dataclass(frozen=True, slots=True)
class ImcHost:
    """A host at one moment. Folders are as the host itself names them; empty where unknown.

    ``service`` is None without a connector. ``setup`` is true if Exchange's Setup left its
    traces; ``build`` is its NewestBuild. ``computer`` is empty for the host of the session.
    ``switch`` is the value DisableResolverSearchList as stored, ``dns_domain`` and ``search_list``
    are what TCP/IP has for the resolver, and ``odd_suffixes`` is a warning about what is not a
    name. ``nameservers`` are those that TCP/IP asks, as far as they were seen. ``pickup`` is
    whether there is a Pickup folder, None where that was not asked.
    """

    name: str = ""
    computer: str = ""
    service: Service | None = None
    setup: bool = False
    build: int | None = None
    root_dir: str = ""
    tracking_dir: str = ""
    switch: RegistryValue | None = None
    dns_domain: str = ""
    search_list: tuple[str, ...] = ()
    odd_suffixes: str = ""
    nameservers: tuple[str, ...] = ()
    pickup: bool | None = None

    @property
    def release(self) -> Release | None:
        """The release, or None for a build outside 4.0 to 5.5."""
        return release_of(self.build)

    @property
    def version(self) -> str | None:
        """``4.0``, ``5.0``, ``5.5``, or None for any other build."""
        return self.release.version if self.release else None

    @property
    def unknown(self) -> list[str]:
        """The facts still needed to read or send the host's mail, by ``EVERYTHING``."""
        asked = {
            "service": self.service is None,
            "parameters": not self.root_dir,
            "setup": self.build is None,
            "attendant": not self.tracking_dir,
        }
        return [name for name, missing in asked.items() if missing]

    def reach(self, folder: str, *names: str) -> str:
        r"""Return the path of a file on this host as the session reaches it.

        On another computer that is the administrative share of the drive, ``\\HOST\C$``.
        """
        path = windows_path("\\".join([folder.rstrip("\\"), *names]))
        if self.computer and not path.startswith("\\\\"):
            return windows_path(f"\\\\{self.computer}\\{path[0]}$\\{path[3:]}")
        return path

    def reach_files(self, folder: Iterable[str], names: Iterable[str]) -> dict[str, str]:
        """Return the paths of listed files, by name, of those that a command line can carry."""
        paths = {}
        for name in names:
            try:
                paths[name] = self.reach(*folder, name)
            except InvalidInput:
                continue
        return paths


#: A host without known facts: all of them have to be read.
UNKNOWN_HOST = ImcHost()


def facts_batch(computer: str, names: Iterable[str] = EVERYTHING) -> Batch:
    """Return the batch with the sections that ``read_facts`` parses."""
    batch = Batch()
    where = computer_name(computer) if computer else None
    for name in names:
        key = _KEYS.get(name)
        query = reg_query(key, computer=where) if key else sc("query", SERVICE_NAME, computer=where)
        batch.add(name, query)
    return batch


def gather_host(session: Session, computer: str = "", *, known: ImcHost | None = None) -> ImcHost:
    """Read a host once: all there is, or what is not ``known`` of it.

    Raises ExchangeError where it does not answer as a Windows host would, or keeps its registry
    to itself.
    """
    names = EVERYTHING if known is None else known.unknown
    sections = facts_batch(computer, names).run(session, timeout=_TIMEOUT)
    return read_facts(session.host, computer, sections, known or UNKNOWN_HOST)


def read_facts(
    name: str, computer: str, sections: Sections, known: ImcHost = UNKNOWN_HOST
) -> ImcHost:
    """Read the sections of ``facts_batch``; what was not asked is as far as it is known."""
    computer = computer_name(computer) if computer else ""
    service, imc = known.service, {}
    try:
        if "service" in sections:
            service = read_service(name, computer, sections)
        if "parameters" in sections:
            imc = key_values(name, PARAMETERS_KEY, sections["parameters"])
    except MissingService:
        service = None  # an answer like any other; callers that need the service report it
    stored = {key: told_values(sections[key], _KEYS[key]) for key in _KEYS if key in sections}
    setup, network = stored.get("setup", {}), stored.get("network", {})
    root_dir = known.root_dir or folder(name, imc, "RootDir")
    build = find_value(setup, "NewestBuild") or find_value(setup, "Build")
    domain = _text(network, "Domain") or _text(network, "DhcpDomain") or known.dns_domain
    listed = names_in(_text(network, "SearchList"))
    attendant = stored.get("attendant", {})
    return ImcHost(
        name=name,
        computer=computer,
        service=service,
        setup=bool(setup),
        build=build.number if build else known.build,
        root_dir=root_dir,
        tracking_dir=known.tracking_dir or tracking_folder(name, attendant, root_dir),
        switch=find_value(imc, VALUE_NAME),
        dns_domain=domain if is_suffix(domain) else "",
        search_list=suffixes(listed),
        odd_suffixes=odd_note((domain, *listed)),
        nameservers=nameservers_in(_adapters(sections)),
        pickup=known.pickup,
    )


def read_service(host: str, computer: str, sections: Sections) -> Service:
    """Return the service by the section "service"; raises MissingService.

    Its start type is None without a section "control".
    """
    asked = sections["service"]
    where = f" on {computer}" if computer else ""
    if asked.exit_code == NOT_INSTALLED:
        raise MissingService(
            f"{host}: the Internet Mail Connector is not installed{where} (no service"
            f" {SERVICE_NAME}).",
            hint="Take the host out of the play, or set missing_service: skip.",
        )
    if not asked.ok:
        reason = _REASONS.get(asked.exit_code, excerpt(asked.output))
        hint = "Check the rights of the account, and that the computer can be reached."
        if computer and asked.exit_code in _LOGON_REFUSED:
            hint = (
                "A logon by NTLM, or by Kerberos without delegation, ends at the management host"
                f" and gives no access to {computer}: use CredSSP, Kerberos with delegation"
                " (ansible_winrm_kerberos_delegation) or Basic over HTTPS. Otherwise check the"
                f" rights of the account on {computer}."
            )
        raise ExchangeError(
            f"{host}: cannot read the state of the service {SERVICE_NAME}{where} (sc: exit"
            f" code {asked.exit_code}, {reason}).",
            hint=hint,
        )
    state = parse_sc_state(asked.output)
    if state is None:
        raise ExchangeError(
            f"{host}: sc shows no state of the service {SERVICE_NAME}{where}:"
            f" {excerpt(asked.output)}."
        )
    start = None
    if "control" in sections:
        start = find_value(key_values(host, SERVICE_KEY, sections["control"]), "Start")
    return Service(ServiceState(state), start.number if start else None)


def key_values(host: str, key: str, section: Section) -> dict[str, RegistryValue]:
    """Return all values of a key that has to be there; raises ExchangeError if it is not read."""
    dump = parse_reg_query(section.output)
    if section.ok and canonical_key(key) in map(canonical_key, dump):
        return values_of(dump, key)
    raise ExchangeError(
        f"{host}: the registry key {key} cannot be read (reg: exit code {section.exit_code},"
        f" {excerpt(section.output)}).",
        hint="Check the rights of the account, and the Remote Registry service where the computer"
        " is another one.",
    )


def told_values(section: Section, key: str) -> dict[str, RegistryValue]:
    """Return the values of a registry key; empty if the key does not exist."""
    return values_of(parse_reg_query(section.output), key) if section.ok else {}


def own_name(values: Values) -> str:
    """Return a computer's own name from the values of its key, or an empty text."""
    try:
        return computer_name(_text(values, "ComputerName")).upper()
    except InvalidInput:
        return ""


def folder(host: str, values: Values, name: str) -> str:
    """Return the folder that a registry value names, or nothing.

    Raises ExchangeError where it holds what no command line can carry.
    """
    text = _text(values, name)
    try:
        return windows_path(text) if text else ""
    except InvalidInput as error:
        raise ExchangeError(
            f"{host}: the registry value {name} is not a usable folder. {error.message}"
        ) from None


def tracking_folder(host: str, attendant: Values, root_dir: str) -> str:
    r"""Return the folder of the tracking log, by the values of the System Attendant's key.

    The articles write the value's name both ways (KB Q169770). By default it is
    ``exchsrvr\tracking.log``, which lies beside the connector's folder.
    """
    named = folder(host, attendant, "LogDirectory") or folder(host, attendant, "Log Directory")
    home = dirname(root_dir)
    return named or (f"{home}\\tracking.log" if home.rstrip("\\:")[1:] else "")


def _adapters(sections: Sections) -> Iterable[Values]:
    """Return the keys of TCP/IP as far as they were read: its own first, then adapters."""
    network = sections.get("network")
    return parse_reg_query(network.output).values() if network and network.ok else ()


def _text(values: Values, name: str) -> str:
    value = find_value(values, name)
    return value.data.strip() if value else ""
