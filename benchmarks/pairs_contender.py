# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One contender of pairs.py, in a process of its own: the pairs of the domains in a file.

    python pairs_contender.py NAME ADDRESS FILE WINDOW RATE

It asks port 53 of the address, and prints as JSON how many pairs it found, the seconds that took
without the start of Python, the CPU seconds among them, the seconds that other programs held it up,
and the largest resident set (KiB), before and altogether. Where a program does the work, the
numbers are those of the program. Each contender does what an administrator would write with it: MX
of each domain, then the addresses of each exchange once.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import json
import os
import re
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / ".build"
_ENGINE = "ansible_collections.postmaster.exchange.plugins.module_utils"
_PORT = 53
_IDENT = 0x1234  # of questions whose answers are not believed


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done: whom to ask about which domains, and how many of them at once."""

    address: str
    domains: list[str]
    window: int
    rate: int


@dataclass(frozen=True, slots=True)
class Clocked:
    """Pairs, and the seconds that a contender says it took, and the CPU seconds if it says so."""

    pairs: int
    seconds: float
    cpu: float | None = None


def prepare(name: str) -> None:
    """Import what a contender needs, before its time begins."""
    if name in {"ours", "floor", "reading", "halves"}:
        sys.path[:0] = [str(COLLECTIONS)]
        importlib.import_module(f"{_ENGINE}._pairs.module")
        importlib.import_module("ansible.module_utils.common.arg_spec")
    elif name == "dnspython":
        importlib.import_module("dns.resolver")
    elif name == "aiodns":
        importlib.import_module("aiodns")


def _options(task: Task) -> dict[str, object]:
    options: dict[str, object] = {"nameservers": [task.address], "domains": task.domains}
    if task.window:
        options["concurrency"] = task.window
    if task.rate:
        options["max_rate"] = task.rate
    return options


def ours(task: Task) -> int:
    """mx_pairs_info' engine, as the action plugin runs it."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator  # noqa: PLC0415
    from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context  # noqa: PLC0415
    from ansible_collections.postmaster.exchange.plugins.module_utils._pairs import module  # noqa: PLC0415

    checked = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate(_options(task))
    result = module.run(checked.validated_parameters, Context(host="benchmark"))
    return len(result["pairs"])


def play(task: Task) -> int:
    """mx_pairs_info in a play, the start of ansible-playbook and its output included."""
    tasks = [
        {"postmaster.exchange.mx_pairs_info": _options(task), "register": "found"},
        {"ansible.builtin.debug": {"msg": "PAIRS {{ found.pairs | length }}."}},
    ]
    return _played(tasks)


def community_dns(task: Task) -> int:
    """The lookup of community.dns in loops of a play, the start of ansible-playbook included."""
    query = f"query('community.dns.lookup', item ~ '.', type='%s', server=['{task.address}'])"
    exchanges = (
        "{{ mx.results | map(attribute='ansible_facts.found') | flatten | map('split')"
        " | map('last') | map('regex_replace', '[.]$', '') }}"
    )
    tasks = [
        {
            "ansible.builtin.set_fact": {"found": f"{{{{ {query % 'MX'} }}}}"},
            "loop": task.domains,
            "register": "mx",
        },
        {"ansible.builtin.set_fact": {"exchanges": exchanges}},
        {
            "ansible.builtin.set_fact": {"found": f"{{{{ {query % 'A'} }}}}"},
            "loop": "{{ exchanges | unique }}",
            "register": "a",
        },
        {
            "ansible.builtin.set_fact": {
                "addresses": "{{ dict(a.results | map(attribute='item')"
                " | zip(a.results | map(attribute='ansible_facts.found'))) }}"
            }
        },
        {
            "ansible.builtin.debug": {
                "msg": "PAIRS {{ exchanges | map('extract', addresses) | flatten | length }}."
            }
        },
    ]
    return _played(tasks)


def _played(tasks: list[dict[str, object]]) -> int:
    """Run a play and return how many pairs it tells of."""
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "play.yml"
        book.write_text(json.dumps(plays))
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                "-i",
                "localhost,",
                str(book),
            ],
            check=True,
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)},
        )
    found = re.search(r"PAIRS ([0-9]+)", done.stdout)
    return int(found[1]) if found else 0


def dnspython(task: Task) -> int:
    """dnspython's resolver, one question after the other."""
    import dns.resolver  # noqa: PLC0415

    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [task.address]
    addresses: dict[str, list[str]] = {}
    pairs = 0
    for domain in task.domains:
        for mx in resolver.resolve(f"{domain}.", "MX"):
            name = mx.exchange.to_text()
            if name not in addresses:
                addresses[name] = [found.address for found in resolver.resolve(name, "A")]
            pairs += len(addresses[name])
    return pairs


def aiodns(task: Task) -> int:
    """aiodns (c-ares) with so many domains under way at once."""
    return asyncio.run(_aiodns(task))


async def _aiodns(task: Task) -> int:
    import aiodns as library  # noqa: PLC0415

    resolver = library.DNSResolver(nameservers=[task.address], timeout=5)
    addresses: dict[str, asyncio.Future[int]] = {}
    waiting = iter(task.domains)
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

    await asyncio.gather(*(worker() for _unused in range(task.window)))
    return pairs


def dig(task: Task) -> int:
    """Run dig twice with a file of questions: MX of all domains, then A of all exchanges."""
    lines = _dig(task.address, task.domains, "MX")
    exchanges = [line.split()[5] for line in lines if "\tMX\t" in line]
    names = list(dict.fromkeys(exchanges))
    addresses: dict[str, int] = dict.fromkeys(names, 0)
    for line in _dig(task.address, names, "A"):
        if "\tA\t" in line:
            addresses[line.split()[0]] += 1
    return sum(addresses[name] for name in exchanges)


def _dig(address: str, names: Iterable[str], rdtype: str) -> list[str]:
    with tempfile.NamedTemporaryFile("w") as file:
        file.writelines(f"{name} {rdtype}\n" for name in names)
        file.flush()
        command = ["dig", f"@{address}", "+noall", "+answer", "-f", file.name]
        return subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout.splitlines()


def dnsperf(task: Task) -> Clocked:
    """All questions at once, as fast as the servers can; answers are only counted.

    The questions are known beforehand, and no answer is read: this is the limit of the servers and
    the kernel, and finds no pairs.
    """
    from pairs import questions  # noqa: PLC0415

    with tempfile.NamedTemporaryFile("w") as file:
        file.writelines(f"{name} {rdtype}\n" for name, rdtype in questions(task.domains))
        file.flush()
        command = ["dnsperf", "-s", task.address, "-d", file.name, "-n", "1", "-q", "500"]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    took = re.search(r"Run time \(s\): +([0-9.]+)", told)
    return Clocked(0, float(took[1]) if took else 0.0)


def floor(task: Task) -> Clocked:
    """The least that Python can do: prepared questions sent, octets received and not looked at."""
    return _exchanged(task, lambda _wire, _question: None)


def reading(task: Task) -> Clocked:
    """The same, and each answer read by our reader: what is left are rules and results."""
    from ansible_collections.postmaster.exchange.plugins.module_utils._pairs import wire  # noqa: PLC0415

    return _exchanged(task, lambda octets, question: wire.read_plain(octets, question, _IDENT))


def _exchanged(task: Task, look: Callable[[bytes, Any], object]) -> Clocked:
    """Send all questions and receive the answers; nothing else is in the time told.

    All questions are known beforehand, and it has one socket for each that is under way, as ours.
    """
    from ansible_collections.postmaster.exchange.plugins.module_utils._pairs import (  # noqa: PLC0415
        model,
        wire,
    )
    from pairs import questions  # noqa: PLC0415

    asked = [model.Question(x, model.RecordType[kind]) for x, kind in questions(task.domains)]
    wires = [wire.plain_query(x, _IDENT, edns=True, checking_disabled=False) for x in asked]
    waiting, left = zip(wires, asked, strict=True), len(wires)
    on: dict[socket.socket, Any] = {}
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        begun, used = time.monotonic(), time.process_time()
        for octets, question in itertools.islice(waiting, task.window):
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.connect((task.address, _PORT))
            selector.register(sock, selectors.EVENT_READ, sock)
            on[sock] = question
            sock.send(octets)
        while left:
            for key, _events in selector.select():
                look(key.data.recv(65535), on[key.data])
                left -= 1
                if following := next(waiting, None):
                    octets, on[key.data] = following
                    key.data.send(octets)
        return Clocked(0, time.monotonic() - begun, time.process_time() - used)


def halves(task: Task) -> int:
    """Two processes of ours with half of the domains each, and nothing handed over between them.

    What both need is asked twice. This is what a second process could bring at most.
    """
    pids = []
    for domains in (task.domains[::2], task.domains[1::2]):
        if not (pid := os.fork()):
            ours(Task(task.address, domains, task.window, task.rate))
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        if os.waitpid(pid, 0)[1]:
            raise RuntimeError("a half failed")
    return 0


def adnshost(task: Task) -> int:
    """GNU adns, fed so that so many domains are under way at once."""
    command = ["adnshost", "--asynch", "--config", f"nameserver {task.address}"]
    command += ["-tmx", "-A4", "-Cl", "-Tn", "-f"]
    head = re.compile(r"^\d+ (\d+) (\w+) ")
    feed, pairs, left = iter(task.domains), 0, 0
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as peer:
        stdin, stdout = peer.stdin, peer.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("no pipes")
        stdin.writelines(
            f"{next(feed)}\n" for _unused in range(min(task.window, len(task.domains)))
        )
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


CONTENDERS: dict[str, Callable[[Task], int | Clocked]] = {
    "ours": ours,
    "play": play,
    "adnshost": adnshost,
    "dig": dig,
    "aiodns": aiodns,
    "dnspython": dnspython,
    "community.dns": community_dns,
    "dnsperf": dnsperf,
    "floor": floor,
    "reading": reading,
    "halves": halves,
}
_PROGRAMS = {"play", "adnshost", "dig", "community.dns", "dnsperf", "halves"}


def main(name: str, address: str, file: str, window: str, rate: str) -> None:
    """Run one contender, and print what it took."""
    task = Task(address, Path(file).read_text().split(), int(window), int(rate))
    prepare(name)
    who = resource.RUSAGE_CHILDREN if name in _PROGRAMS else resource.RUSAGE_SELF
    base, before, begun = _memory("VmRSS"), resource.getrusage(who), time.monotonic()
    held = _held_up()
    found = CONTENDERS[name](task)
    seconds, after = time.monotonic() - begun, resource.getrusage(who)
    held = 0.0 if name in _PROGRAMS else _held_up() - held
    if isinstance(found, int):
        found = Clocked(found, seconds)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory = _memory("VmHWM")
    if name in _PROGRAMS:
        # Linux counts a child as large as this process until it has begun.
        base, memory = 0, after.ru_maxrss if after.ru_maxrss > memory else 0
    cpu = cpu if found.cpu is None else found.cpu
    told = {"pairs": found.pairs, "seconds": found.seconds, "cpu": cpu, "held": held}
    print(json.dumps({**told, "memory": memory, "base": base}))


def _held_up() -> float:
    """Return the seconds that this process could have run and had no core (Linux, schedstat)."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


def _memory(which: str) -> int:
    """Return a figure of this process, in KiB (proc(5), status)."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{which}:")[2].split()[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
