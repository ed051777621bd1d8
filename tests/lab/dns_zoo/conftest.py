# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of the zoo: NSD behind dnsdist, and three resolvers that ask dnsdist.

All listen on loopback. A resolver reaches an authority at port 53 only, which takes root.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rrset
import pytest
from dns_peers.servers import nsd
from peer_programs import free_address, free_port, program, running

from .cases import CASES

_DNS = 53
_TRIES = 20
_DNSDIST = """
setSecurityPollSuffix("")
setACL("127.0.0.0/8")
setUDPTimeout(2)
newServer({{address="127.0.0.1:{zones}", pool="", checkType="SOA", checkName="good.zoo."}})
newServer({{address="127.0.0.1:{empty}", pool="empty", checkName="anxdomain.zoo."}})
newServer({{address="{upward}", pool="upward", healthCheckMode="up"}})
newServer({{address="127.0.0.1:{parent}", pool="parent", checkType="SOA", checkName="zoo."}})
local aaaa, mx, address = QTypeRule(DNSQType.AAAA), QTypeRule(DNSQType.MX), QTypeRule(DNSQType.A)
local opt = RecordsTypeCountRule(DNSSection.Additional, DNSQType.OPT, 1, 1)
local udp, tcp = TCPRule(false), TCPRule(true)
local function only(zone)
  local suffixes = newSuffixMatchNode()
  suffixes:add(newDNSName(zone))
  return SuffixMatchNodeRule(suffixes)
end
"""


def _answers(address: str, port: int, name: str) -> bool:
    question = dns.message.make_query(name, "SOA")
    with contextlib.suppress(OSError, dns.exception.Timeout):
        return bool(dns.query.udp(question, address, port=port, timeout=0.5).answer)
    return False


@contextlib.contextmanager
def _listening(address: str, port: int, answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """Answer datagrams at an address where TCP is closed; yields ADDRESS:PORT."""
    done = threading.Event()
    with socket.socket(type=socket.SOCK_DGRAM) as listener:
        listener.bind((address, port))
        listener.settimeout(0.2)

        def serve() -> None:
            while not done.is_set():
                with contextlib.suppress(OSError):
                    question, client = listener.recvfrom(4096)
                    listener.sendto(answer(question), client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"{address}:{listener.getsockname()[1]}"
        finally:
            done.set()
            thread.join()


def _refer_to_root(question: bytes) -> bytes:
    """Return the answer of a server that does not serve the name: the name servers of the root."""
    reply = dns.message.make_response(dns.message.from_wire(question))
    reply.authority.append(dns.rrset.from_text(".", 3600, "IN", "NS", "a.root.invalid."))
    return reply.to_wire()


def _zone(origin: str, records: str, address: str) -> str:
    """Return a zone file that names dnsdist as the zone's only name server."""
    soa = "@ SOA ns hostmaster 1 7200 900 1209600 60\n"
    return f"$ORIGIN {origin}.\n$TTL 300\n{soa}@ NS ns\nns A {address}\n{records}"


def _free_addresses(count: int) -> list[str]:
    """Return that many neighbours on loopback where port 53 is free."""
    for _round in range(_TRIES):
        network = free_address(_DNS).rpartition(".")[0]
        addresses = [f"{network}.{number}" for number in range(1, count + 1)]
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for address in addresses:
                sock = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
                sock.bind((address, _DNS))
            return addresses
    raise OSError("no neighbours on loopback have port 53 free")


@pytest.fixture(scope="session")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The address of each zone's server, by domain: dnsdist with the zone's fault before NSD.

    A zone has an address of its own, since a resolver remembers of an address what went wrong.
    """
    if os.geteuid() != 0:
        pytest.skip("port 53 takes root")
    domains = [case.domain for case in CASES]
    addresses = dict(zip(domains, _free_addresses(len(domains)), strict=True))
    zones = {one.domain: _zone(one.domain, one.records, addresses[one.domain]) for one in CASES}
    above = {"zoo": _zone("zoo", "", addresses["good.zoo"])}
    empty = {"anxdomain.zoo": _zone("anxdomain.zoo", "", addresses["anxdomain.zoo"])}
    with contextlib.ExitStack() as stack:
        ports = {
            name: stack.enter_context(nsd(tmp_path_factory.mktemp(name), content)).port
            for name, content in (("zones", zones), ("empty", empty), ("parent", above))
        }
        upward = stack.enter_context(_listening("127.0.0.1", 0, _refer_to_root))
        lines = [_DNSDIST.format(upward=upward, **ports)]
        lines += [f'addLocal("{address}:53")' for address in addresses.values()]
        lines += [f'do local here = only("{one.domain}.")\n{one.rules}\nend' for one in CASES]
        folder = tmp_path_factory.mktemp("dnsdist")
        file = folder / "dnsdist.conf"
        file.write_text("\n".join(lines))
        command = [program("dnsdist"), "--supervised", "--disable-syslog", "-C", str(file)]
        ready = partial(_answers, addresses["good.zoo"], _DNS, "good.zoo.")
        stack.enter_context(running(command, ready, folder))
        closed = partial(_forward, addresses["tcclosed.zoo"])
        listening = stack.enter_context(_listening(free_address(_DNS), _DNS, closed))
        yield {**addresses, "tcclosed.zoo": listening.partition(":")[0]}


def _forward(server: str, question: bytes) -> bytes:
    """Return a server's answer over UDP."""
    with socket.socket(type=socket.SOCK_DGRAM) as way:
        way.settimeout(2)
        way.sendto(question, (server, _DNS))
        return way.recv(4096)


@pytest.fixture(scope="session")
def resolvers(
    tmp_path_factory: pytest.TempPathFactory, authorities: dict[str, str]
) -> Iterator[dict[str, str]]:
    """Unbound, BIND and PowerDNS Recursor, as ADDRESS:PORT by name."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name, start in (("unbound", _unbound), ("bind", _bind), ("powerdns", _powerdns)):
            port, folder = free_port(), tmp_path_factory.mktemp(name)
            command = start(folder, port, authorities)
            ready = partial(_answers, "127.0.0.1", port, "good.zoo.")
            stack.enter_context(running(command, ready, folder))
            found[name] = f"127.0.0.1:{port}"
        yield found


def _unbound(folder: Path, port: int, authorities: Mapping[str, str]) -> list[str]:
    file = folder / "unbound.conf"
    file.write_text(
        f"server:\n  interface: 127.0.0.1\n  port: {port}\n"
        '  username: ""\n  chroot: ""\n  pidfile: ""\n'
        f'  directory: "{folder}"\n  use-syslog: no\n  do-not-query-localhost: no\n'
        '  do-ip6: no\n  module-config: "iterator"\n  access-control: 127.0.0.0/8 allow\n'
        f"remote-control:\n  control-enable: no\n"
        + "".join(
            f"stub-zone:\n  name: {zone}\n  stub-addr: {address}\n"
            for zone, address in authorities.items()
        )
    )
    return [program("unbound"), "-d", "-c", str(file)]


def _bind(folder: Path, port: int, authorities: Mapping[str, str]) -> list[str]:
    file = folder / "named.conf"
    file.write_text(
        f'options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }};'
        " listen-on-v6 { none; }; pid-file none; session-keyfile none; recursion yes;"
        " allow-query { 127.0.0.0/8; }; dnssec-validation no; empty-zones-enable no; };\n"
        + "".join(
            f'zone "{zone}" {{ type static-stub; server-addresses {{ {address}; }}; }};\n'
            for zone, address in authorities.items()
        )
        + "controls { };\n"
    )
    return [program("named"), "-g", "-c", str(file)]


def _powerdns(folder: Path, port: int, authorities: Mapping[str, str]) -> list[str]:
    (folder / "recursor.conf").write_text(
        f"local-address=127.0.0.1\nlocal-port={port}\nsocket-dir={folder}\n"
        f"forward-zones={','.join(f'{zone}={at}' for zone, at in authorities.items())}\n"
        "dont-query=\ndnssec=off\nallow-from=127.0.0.0/8\nsecurity-poll-suffix=\n"
    )
    return [program("pdns_recursor"), f"--config-dir={folder}", "--daemon=no"]
