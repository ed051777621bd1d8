# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One contender of pairs.py, in a process of its own: the pairs of the domains in a file.

    python pairs_contender.py NAME ADDRESS PORT FILE WINDOW

It prints how many pairs it found, the seconds that took without the start of Python, and the CPU
seconds of this process among them. Each does what an administrator would write with that library:
MX of each domain, then the addresses of each exchange once.
"""

from __future__ import annotations

import asyncio
import importlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_ENGINE = "ansible_collections.postmaster.exchange.plugins.module_utils"


def prepare(name: str) -> None:
    """Import what a contender needs, before its time begins."""
    if name == "ours":
        sys.path[:0] = [str(ROOT / ".build")]
        importlib.import_module(f"{_ENGINE}.pairs.module")
    elif name == "dnspython":
        importlib.import_module("dns.resolver")
    elif name == "aiodns":
        importlib.import_module("aiodns")


def ours(address: str, port: int, domains: list[str], window: int) -> int:
    """mx_pairs' engine, as the action plugin runs it."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator  # noqa: PLC0415
    from ansible_collections.postmaster.exchange.plugins.module_utils.context import (  # noqa: PLC0415
        Context,
    )
    from ansible_collections.postmaster.exchange.plugins.module_utils.pairs import (  # noqa: PLC0415
        module,
        spec,
    )

    options = {"domains": domains, "nameservers": [f"{address}:{port}"], "allow_private": True}
    if window:
        options["concurrency"] = window
    checked = ArgumentSpecValidator(spec.ARGUMENT_SPEC).validate(options)
    result = module.run(checked.validated_parameters, Context(host="benchmark"))
    return len(result["pairs"])


def dnspython(address: str, port: int, domains: list[str], window: int) -> int:
    """dnspython's resolver, one question after the other."""
    import dns.resolver  # noqa: PLC0415

    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [address], port
    addresses: dict[str, list[str]] = {}
    pairs = 0
    for domain in domains:
        for mx in resolver.resolve(f"{domain}.", "MX"):
            name = mx.exchange.to_text()
            if name not in addresses:
                addresses[name] = [found.address for found in resolver.resolve(name, "A")]
            pairs += len(addresses[name])
    return pairs


def aiodns(address: str, port: int, domains: list[str], window: int) -> int:
    """aiodns (c-ares) with so many domains under way at once."""
    return asyncio.run(_aiodns(address, port, domains, window))


async def _aiodns(address: str, port: int, domains: list[str], window: int) -> int:
    import aiodns as library  # noqa: PLC0415

    resolver = library.DNSResolver(nameservers=[address], udp_port=port, tcp_port=port, timeout=5)
    addresses: dict[str, asyncio.Future[int]] = {}
    waiting = iter(domains)
    pairs = 0

    async def located(name: str) -> int:
        return len(await resolver.query(name, "A"))

    async def worker() -> None:
        nonlocal pairs
        for domain in waiting:
            for mx in await resolver.query(domain, "MX"):
                if mx.host not in addresses:
                    addresses[mx.host] = asyncio.ensure_future(located(mx.host))
                found = await addresses[mx.host]
                pairs += found

    await asyncio.gather(*(worker() for _unused in range(window)))
    return pairs


def dig(address: str, port: int, domains: list[str], window: int) -> int:
    """Run dig twice with a file of questions: MX of all domains, then A of all exchanges."""
    exchanges = [line.split()[5] for line in _dig(address, port, domains, "MX") if "\tMX\t" in line]
    names = list(dict.fromkeys(exchanges))
    addresses: dict[str, int] = dict.fromkeys(names, 0)
    for line in _dig(address, port, names, "A"):
        if "\tA\t" in line:
            addresses[line.split()[0]] += 1
    return sum(addresses[name] for name in exchanges)


def _dig(address: str, port: int, names: Iterable[str], rdtype: str) -> list[str]:
    with tempfile.NamedTemporaryFile("w") as file:
        file.writelines(f"{name} {rdtype}\n" for name in names)
        file.flush()
        command = ["dig", f"@{address}", "-p", str(port), "+noall", "+answer", "-f", file.name]
        return subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout.splitlines()


def adnshost(address: str, port: int, domains: list[str], window: int) -> int:
    """GNU adns, fed so that so many domains are under way at once; it can only ask port 53."""
    command = ["adnshost", "--asynch", "--config", f"nameserver {address}"]
    command += ["-tmx", "-A4", "-Cl", "-Tn", "-f"]
    head = re.compile(r"^\d+ (\d+) (\w+) ")
    feed, pairs, left = iter(domains), 0, 0
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as peer:
        stdin, stdout = peer.stdin, peer.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("no pipes")
        for _unused in range(min(window, len(domains))):
            stdin.write(f"{next(feed)}\n")
        stdin.flush()
        for line in stdout:
            if left:
                left -= 1
                pairs += line.count(" INET ")
                continue
            if found := head.match(line):
                left = int(found[1])
                if domain := next(feed, None):
                    stdin.write(f"{domain}\n")
                    stdin.flush()
                elif not stdin.closed:
                    stdin.close()
    return pairs


CONTENDERS: dict[str, Callable[[str, int, list[str], int], int]] = {
    "ours": ours,
    "adnshost": adnshost,
    "dig": dig,
    "aiodns": aiodns,
    "dnspython": dnspython,
}

if __name__ == "__main__":
    _name, _address, _port, _file, _window = sys.argv[1:]
    _domains = Path(_file).read_text().split()
    prepare(_name)
    _begun, _used = time.monotonic(), time.process_time()
    _pairs = CONTENDERS[_name](_address, int(_port), _domains, int(_window))
    _seconds, _cpu = time.monotonic() - _begun, time.process_time() - _used
    sys.stdout.write(f"{_pairs} {_seconds} {_cpu}\n")
