# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects: what PowerShell serialised, what cmdlets return, what lies in a backup on the disk."""

from __future__ import annotations

import copy
import json
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    connector,
    external_dns,
    plan,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    delivery_test as connectors_test,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.family import (
    SendConnectors,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.lock import (
    OrganisationLock,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.organisation import (
    Organisation,
    Reader,
    View,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.family import MailConnector
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import (
    Service,
    ServiceState,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.layout import Layout
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.plan import Saved
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.state import HostState
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import clixml
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import Cmdlet
from ansible_collections.postmaster.exchange.plugins.module_utils._run import backups, transaction
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    delivery_test as run_delivery_test,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    exchange_info as run_exchange_info,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    queue_info as run_queue_info,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    transport_delivery as pins,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.delivery_test import Clock
from fuzz_registry import calmly, target
from fuzz_reports import diagnosed, reported
from fuzz_values import ODD, bent, long_bytes, mutated, one_odd
from hypothesis import strategies as st
from imc_fake_host import FakeHost
from transport_fakes import FakeCmdlets

# -- CLIXML

CLIXML = (
    b'<Obj RefId="0"><TN RefId="0"><T>Microsoft.Exchange.SendConnector</T><T>System.Object</T></TN>'
    b"<ToString>nestle</ToString><Props>"
    b'<S N="Name">nestle_x000A_</S><I32 N="Port">25</I32><B N="Enabled">true</B><Nil N="Comment" />'
    b'<Obj N="SmartHosts" RefId="1"><TN RefId="1"><T>System.Collections.ArrayList</T></TN><LST>'
    b'<S>[192.0.2.1]</S><Ref RefId="2" /></LST></Obj>'
    b'<Obj N="More" RefId="2"><TNRef RefId="0" /><DCT><En><S N="Key">a</S><Db N="Value">1.5</Db>'
    b"</En></DCT></Obj></Props></Obj>"
)
_XML_TOKENS = [
    b"<LST>",
    b"</LST>",
    b'<Ref RefId="0" />',
    b'<Ref RefId="1" />',
    b'<Obj RefId="3">',
    b"</Obj>",
    b"<C>99999999999999999999</C>",
    b"<I32>x</I32>",
    b"<Db>INF</Db>",
    b"_xD800_",
    b"<!DOCTYPE x [<!ENTITY a 'aa'>]>",
    b"&a;",
    b"&#xFFFF;",
    b"<DCT>",
    b"<En>",
    b"<Nil />",
    b"<![CDATA[",
]


def _read_clixml(data: bytes) -> None:
    calmly(clixml.read, data.decode("utf-8", "replace"), allowed=(clixml.NotAnObject,))


target("CLIXML", "WinRM, PSRP", mutated([CLIXML], _XML_TOKENS), examples=400, guided=True)(
    _read_clixml
)
target("CLIXML, a megabyte", "WinRM, PSRP", long_bytes([CLIXML], _XML_TOKENS), examples=12)(
    _read_clixml
)


@st.composite
def _bent_xml(draw: st.DrawFn) -> str:
    """The sample with other elements, attributes and texts, always well formed."""
    root = ET.fromstring(CLIXML)
    for _number in range(draw(st.integers(1, 8))):
        everywhere = list(root.iter())
        chosen, other = draw(st.sampled_from(everywhere)), draw(st.sampled_from(everywhere))
        match draw(st.sampled_from(["tag", "text", "attribute", "copy", "remove"])):
            case "tag":
                chosen.tag = draw(st.sampled_from(_TAGS))
            case "text":
                chosen.text = draw(st.sampled_from(_XML_TEXTS))
            case "attribute":
                chosen.attrib.clear()
                name = draw(st.sampled_from(["N", "RefId", "X"]))
                chosen.set(name, draw(st.sampled_from(["0", "1", "2", "Key", "Value", ""])))
            case "copy":
                chosen.extend([copy.deepcopy(other)] * draw(st.integers(1, 3)))
            case "remove":
                for child in list(chosen)[:1]:
                    chosen.remove(child)
        if len(everywhere) > _MOST_ELEMENTS:
            break
    return ET.tostring(root, encoding="unicode")


_TAGS = [
    "S",
    "ToString",
    "URI",
    "XD",
    "SBK",
    "DT",
    "TS",
    "D",
    "G",
    "Version",
    "BA",
    "PR",
    "By",
    "SB",
    "U16",
    "I32",
    "I64",
    "LST",
    "IE",
    "STK",
    "QUE",
    "Props",
    "MS",
    "B",
    "C",
    "Db",
    "Sg",
    "Nil",
    "SS",
    "Obj",
    "Ref",
    "TN",
    "TNRef",
    "T",
    "DCT",
    "En",
    "Other",
]
_XML_TEXTS = [
    "",
    "x",
    "-1",
    "1114112",
    "9" * 30,
    "9" * 5000,
    "1e999",
    "NaN",
    "_xD800_",
    "_x0000_",
    "_x" * 1000,
    "\u0665",
]
_MOST_ELEMENTS = 2_000
_EACH_XML = [f"<{tag}>{text}</{tag}>" for tag in _TAGS for text in _XML_TEXTS]


@target(
    "CLIXML, well formed", "WinRM, PSRP", _bent_xml(), examples=300, guided=True, each=_EACH_XML
)
def _well_formed(text: str) -> None:
    calmly(clixml.read, text, allowed=(clixml.NotAnObject,))


def _refer(kind: str, levels: int, width: int, itself: bool) -> str:
    """Objects of which each holds the one before many times, and perhaps itself."""
    text = "<S>x</S>"
    for level in range(levels):
        # An object may be referred to from within itself (MS-PSRP 2.2.5.1).
        to = level if itself else level - 1
        refs = f'<Ref RefId="{to}"/>' * width if to >= 0 else ""
        text = f'<Obj RefId="{level}"><{kind}>{text}{refs}</{kind}></Obj>'
    return text


_CHAINS = st.tuples(
    st.sampled_from(["LST", "STK", "QUE", "IE"]),
    st.integers(1, 12),
    st.sampled_from([1, 2, 40, 1000]),
    st.booleans(),
)


@target("CLIXML, objects that refer to each other", "WinRM, PSRP", _CHAINS, examples=25)
def _references(made: tuple[str, int, int, bool]) -> None:
    calmly(clixml.read, _refer(*made), allowed=(clixml.NotAnObject,))


@target(
    "CLIXML, nested deeply",
    "WinRM, PSRP",
    st.tuples(
        st.sampled_from(["LST", "Props", "MS", "DCT", "ToString", "TN"]), st.integers(1, 30_000)
    ),
    examples=30,
)
def _deep(made: tuple[str, int]) -> None:
    kind, depth = made
    text = f'<Obj RefId="0"><{kind}>' * depth + f"</{kind}></Obj>" * depth
    calmly(clixml.read, text, allowed=(clixml.NotAnObject,))


# -- what cmdlets return

_DN = (
    "CN=nestle,CN=Connections,CN=Routing,CN=AG,CN=First Organization,CN=Microsoft Exchange,"
    "CN=Services,CN=Configuration,DC=hq,DC=example"
)
CONNECTOR: dict[str, Any] = {
    "Guid": "6f1c0d2e-0000-0000-0000-000000000001",
    "Identity": "nestle",
    "Name": "postmaster.exchange nestle.com",
    "AddressSpaces": ["SMTP:nestle.com;1"],
    "SmartHosts": ["[192.0.2.25]"],
    "DNSRoutingEnabled": False,
    "SmartHostAuthMechanism": "None",
    "Enabled": True,
    "Comment": connector.comment_for("nestle.com"),
    "Port": 25,
    "SourceTransportServers": ["EX16"],
    "RequireTLS": False,
    "TlsAuthLevel": None,
    "TlsDomain": None,
    "ProtocolLoggingLevel": "None",
    "IsScopedConnector": False,
    "WhenCreatedUTC": "2026-11-23T11:45:07Z",
    "MaxMessageSize": "35 MB (36,700,160 bytes)",
    "ErrorPolicies": ["Default"],
    "SmtpMaxMessagesPerConnection": 20,
    "DistinguishedName": _DN,
    "OriginatingServer": "dc1.hq.example",
}
SERVER: dict[str, Any] = {
    "Name": "EX16",
    "Fqdn": "ex16.hq.example",
    "IsHubTransportServer": True,
    "AdminDisplayVersion": "Version 15.1 (Build 2507.6)",
    "ExchangeLegacyDN": "/o=First Organization/ou=x",
    "Edition": "Standard",
    "ServerRole": "Mailbox",
    "Site": "hq.example/Configuration/Sites/Default",
    "DistinguishedName": _DN,
    "OriginatingServer": "dc1.hq.example",
}
SERVICE: dict[str, Any] = {
    "Name": "EX16",
    "ExternalDNSServers": ["192.0.2.53"],
    "ExternalDNSAdapterEnabled": True,
    "ExternalDNSAdapterGuid": "0",
    "ExternalDNSProtocolOption": "Any",
    "MessageTrackingLogEnabled": True,
    "MessageTrackingLogPath": r"C:\logs",
}
QUEUE: dict[str, Any] = {
    "Identity": r"EX16\1",
    "DeliveryType": "DnsConnectorDelivery",
    "NextHopDomain": "nestle.com",
    "Status": "Retry",
    "MessageCount": 3,
    "LastError": "451 4.4.0 DNS query failed",
    "NextRetryTime": "2026-11-23T11:55:07Z",
}
MESSAGE: dict[str, Any] = {
    "Identity": r"EX16\1\2",
    "Queue": r"EX16\1",
    "DateReceived": "2026-11-23T11:40:00Z",
    "LastError": None,
    "Recipients": ["a@nestle.com;2;2;;0;x"],
}
EVENT: dict[str, Any] = {
    "EventId": "SEND",
    "Timestamp": "2026-11-23T11:45:09Z",
    "ConnectorId": "nestle",
    "ServerHostname": "mail.nestle.com",
    "RecipientStatus": ["250 2.1.5 ok"],
}
_ANSWERS = {
    "Get-SendConnector": CONNECTOR,
    "Get-ExchangeServer": SERVER,
    "Get-TransportService": SERVICE,
    "Get-Queue": QUEUE,
    "Get-Message": MESSAGE,
    "Get-AcceptedDomain": {"DomainName": "hq.example"},
    "Get-MessageTrackingLog": EVENT,
    "New-SendConnector": CONNECTOR,
}


def _each(*cmdlets: str) -> list[dict[str, list[Any]]]:
    """Valid answers of all cmdlets but one, of which one property is odd."""
    valid = {name: [answer] for name, answer in _ANSWERS.items()}
    return [{**valid, name: [odd]} for name in cmdlets for odd in one_odd(_ANSWERS[name])]


def _answers() -> st.SearchStrategy[dict[str, list[Any]]]:
    """What each cmdlet answers: its object twice, each perhaps bent."""
    both = {
        name: st.lists(st.one_of(st.just(valid), bent(valid), bent(valid)), min_size=1, max_size=2)
        for name, valid in _ANSWERS.items()
    }
    return st.fixed_dictionaries(both)


def _context(cmdlets: FakeCmdlets, folder: str = ".", **more: Any) -> Context:
    return Context(
        host="ex16",
        cmdlets=lambda: cmdlets,
        no_session=ExchangeError("there is no command shell"),
        address="ex16.hq.example",
        basedir=Path(folder),
        **more,
    )


def _only_plain_parameters(cmdlets: FakeCmdlets) -> None:
    """Whatever a host says, a parameter of a cmdlet is text, a number, a boolean or a list."""
    for cmdlet in cmdlets.asked:
        for value in cmdlet.parameters.values():
            values = value if isinstance(value, (list, tuple)) else [value]
            assert all(x is None or isinstance(x, (str, int, bool)) for x in values), cmdlet


_PIN_PARAMS: dict[str, Any] = {
    **{name: option.get("default") for name, option in pins.ARGUMENT_SPEC.items()},
    "routes": [{"domain": "nestle.com", "addresses": ["192.0.2.25"], "status": "ok"}],
}


@target(
    "objects for transport_delivery",
    "cmdlets",
    _answers(),
    examples=30,
    each=_each("Get-SendConnector"),
)
def _pins(answers: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for state, check_mode in (("present", True), ("exact", False)):
            cmdlets = FakeCmdlets(dict(answers))
            context = _context(cmdlets, folder, check_mode=check_mode)
            enforced = calmly(pins.run, {**_PIN_PARAMS, "state": state}, context)
            reported("ex16", "transport", enforced)
            _only_plain_parameters(cmdlets)


@target(
    "objects for exchange_info",
    "cmdlets",
    _answers(),
    examples=100,
    each=_each("Get-ExchangeServer", "Get-TransportService"),
)
def _info(answers: dict[str, Any]) -> None:
    params = {"family": "transport", "target_computer": None}
    info = calmly(run_exchange_info.run, params, _context(FakeCmdlets(answers)))
    diagnosed("ex16", info, _QUIET)


#: Results of hosts that have nothing to tell, to go with those that have.
_QUIET: dict[str, Any] = {"queues": [], "stuck_domains": [], "warnings": [], "files": 0}
_KNOWN: dict[str, Any] = {"family": "transport", "version": "2016", "servers": [], "warnings": []}
_QUEUE_PARAMS = {
    "family": "transport",
    "all_servers": True,
    "own_domains": [],
    "min_age": 0,
    "max_files": 100,
    "max_bytes": 1000,
    "max_logs": 1,
    "tracking_lines": 10,
    "counters": False,
    "target_computer": None,
}


@target(
    "objects for queue_info",
    "cmdlets",
    _answers(),
    examples=100,
    each=_each("Get-Queue", "Get-Message", "Get-AcceptedDomain"),
)
def _queue(answers: dict[str, Any]) -> None:
    cmdlets = FakeCmdlets(answers)
    queue = calmly(run_queue_info.run, dict(_QUEUE_PARAMS), _context(cmdlets))
    diagnosed("ex16", _KNOWN, queue)
    _only_plain_parameters(cmdlets)


_TEST_PARAMS: dict[str, Any] = {
    "family": "transport",
    "retry_queues": True,
    "domains": ["nestle.com"],
    "sender": "postmaster@hq.example",
    "subject": "Delivery test",
    "method": "auto",
    "smtp": {"host": "127.0.0.1", "port": 9},
    "deadline": 3,
    "interval": 1,
    "fail_on_undelivered": True,
    "target_computer": None,
}


@target(
    "objects for delivery_test",
    "cmdlets",
    _answers(),
    examples=60,
    each=_each("Get-MessageTrackingLog"),
)
def _delivery(answers: dict[str, Any]) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    clock = Clock(monotonic=lambda: now, sleep=sleep)
    submit = connectors_test.submit
    connectors_test.submit = lambda _probes, _options: {}  # no mail server is asked
    try:
        for check_mode in (True, False):
            cmdlets = FakeCmdlets(dict(answers))
            context = _context(cmdlets, check_mode=check_mode)
            tested = calmly(run_delivery_test.run_by, clock, dict(_TEST_PARAMS), context)
            diagnosed("ex16", _KNOWN, tested if isinstance(tested, ExchangeError) else _QUIET)
            _only_plain_parameters(cmdlets)
    finally:
        connectors_test.submit = submit


# -- backups on the disk

_CONNECTOR = MailConnector(FakeHost(), "mail5-a", Layout(registry_key=r"HKLM\SYSTEM\X"))
_STATE = HostState(Service(ServiceState.RUNNING, None), None, computer="MAIL5-A")
_VIEW = View(Organisation("First Organization", "hq.example"), "dc1", ())
_IMC_FACTS: dict[str, Any] = {
    "format": 1,
    "collection": "postmaster.exchange 0.1.0",
    "taken": "2026-11-23T11:45:00+00:00",
    "host": "mail5-a",
    "computer": "MAIL5-A",
    "organisation": "",
    "registry_key": r"HKLM\SYSTEM\X",
    "host_folder": r"C:\x",
    "value": {"name": "DisableResolverSearchList", "type": "REG_DWORD", "data": "0x1"},
    "routes_sha256": None,
}
_SERVER_DNS: dict[str, Any] = {
    "kind": "server",
    "identity": "ex16",
    "name": "EX16",
    "before": {"ExternalDNSServers": ["192.0.2.53"], "ExternalDNSAdapterEnabled": True},
    "after": {"ExternalDNSServers": ["203.0.113.53"], "ExternalDNSAdapterEnabled": False},
}
_CONNECTOR_DNS: dict[str, Any] = {
    "kind": "connector",
    "identity": "5f4dcc3b",
    "name": "Internet",
    "before": {"UseExternalDNSServersEnabled": False},
    "after": {"UseExternalDNSServersEnabled": True},
}
_LEFT = external_dns.Services("Set-TransportService", ({"Name": "EX16", **_SERVER_DNS["after"]},))
_PIN_FACTS: dict[str, Any] = {
    "format": 1,
    "kind": "send_connectors",
    "organisation": "First Organization",
    "forest": "hq.example",
    "before": "enforced",
    "connectors": [CONNECTOR],
    "external_dns": [_SERVER_DNS, _CONNECTOR_DNS],
}


def _dumped(value: Any) -> bytes:
    return json.dumps(value, default=str).encode("utf-8", "surrogatepass")


_CONNECTORS = st.lists(bent(CONNECTOR), max_size=2)
_BACKUPS = st.one_of(
    bent(_IMC_FACTS).map(_dumped),
    bent(_PIN_FACTS, st.one_of(ODD, _CONNECTORS)).map(_dumped),
    _CONNECTORS.map(lambda found: _dumped({**_PIN_FACTS, "connectors": found})),
    mutated(
        [_dumped(_IMC_FACTS), _dumped(_PIN_FACTS)],
        [b"[" * 5000, b'{"a":' * 3000, b"1e999", b"NaN", b"-Infinity", b'"\\ud800"', b"1" * 5000],
    ),
)


def _backup(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / _CONNECTOR.host / "2026-11-23T114500Z"
        folder.mkdir(parents=True)
        (folder / backups.FACTS_FILE).write_bytes(content)
        newest = calmly(backups.find, Path(name), _CONNECTOR.host)
        assert newest == folder or isinstance(newest, ExchangeError)
        found = calmly(transaction.load, _CONNECTOR, folder, _STATE, "mail5-a")
        if isinstance(found, Saved) and found.value:
            assert found.value.data.isalnum() or found.value.type == "REG_SZ"
        cmdlets = FakeCmdlets({})
        family = SendConnectors(Reader(cmdlets), OrganisationLock(None, Context("ex16").now))
        pinned = calmly(transaction.load, family, folder, _VIEW, "ex16")
        if isinstance(pinned, ExchangeError):
            return
        present = connector.connector_from(CONNECTOR, "ex16")
        for connectors in ([present], []):
            for step in plan.restore_plan(connectors, pinned.connectors).changes:
                cmdlets.invoke(Cmdlet(step.cmdlet, step.parameters))
            for back in external_dns.restoring_dns_plan(
                connectors, _LEFT, pinned.external_dns
            ).steps:
                cmdlets.invoke(Cmdlet(back.cmdlet, back.parameters))
        _only_plain_parameters(cmdlets)


_EACH_BACKUP = [_dumped(odd) for facts in (_IMC_FACTS, _PIN_FACTS) for odd in one_odd(facts)] + [
    _dumped({**_PIN_FACTS, "connectors": [odd]}) for odd in one_odd(CONNECTOR)
]
_EACH_BACKUP += [
    _dumped({**_PIN_FACTS, "external_dns": [odd]})
    for entry in (_SERVER_DNS, _CONNECTOR_DNS)
    for odd in one_odd(entry)
]
target("backup.json", "files", _BACKUPS, examples=200, guided=True, each=_EACH_BACKUP)(_backup)
