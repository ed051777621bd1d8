# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two domain controllers of a real Active Directory (Samba's) that replicate when a test says so.

Both run on loopback, each with its own ``/run/samba``, ``/etc/hosts`` and ``/etc/resolv.conf`` in a
mount namespace, which takes root. Writes go into the database of a domain controller; what
replicates is what the other one hands over by DRSUAPI.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import peer_programs
from exchange_lab.windows.active_directory import (
    ADMIN_PASSWORD,
    ADMINISTRATOR,
    BASE,
    await_port,
    run,
)
from exchange_lab.windows.kdc import REALM

DOMAIN = REALM.lower()
ADDRESSES = {"dc1": "127.0.78.1", "dc2": "127.0.78.2"}
_SERVICES = "rpc, ldap, cldap, kdc, dns"  # without drepl nothing replicates by itself
_PORTS = {"dc1": (53, 88, 135, 389), "dc2": (135, 389)}
_PATIENCE = 60.0
_LOGIN = ("-U", f"{ADMINISTRATOR.partition('@')[0]}%{ADMIN_PASSWORD}")

_KERBEROS = """\
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
[realms]
  {realm} = {{
    kdc = {address}
  }}
[domain_realm]
  .{domain} = {realm}
"""
_NAMESPACE = """\
mount --make-rprivate /
mkdir -p /run/samba
mount --bind {run} /run/samba
mount --bind {folder}/hosts /etc/hosts
mount --bind {folder}/resolv.conf /etc/resolv.conf
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two domain controllers, ``dc1`` and ``dc2``; objects are containers in ``CN=Users``."""

    folder: Path

    def create(self, controller: str, name: str, text: str) -> None:
        """Add an object."""
        lines = ("changetype: add", "objectClass: container", f"description: {text}")
        self._write(controller, name, *lines)

    def modify(self, controller: str, name: str, text: str) -> None:
        """Change the text of an object."""
        lines = ("changetype: modify", "replace: description", f"description: {text}")
        self._write(controller, name, *lines)

    def delete(self, controller: str, name: str) -> None:
        """Delete an object."""
        self._write(controller, name, "changetype: delete")

    def later(self) -> None:
        """Let the next write have a later stamp, which counts whole seconds."""
        time.sleep(1.1)

    def settle(self) -> None:
        """Replicate until both have the same."""
        for into, source in (("dc2", "dc1"), ("dc1", "dc2"), ("dc2", "dc1")):
            names = (f"{name}.{DOMAIN}" for name in (into, source))
            command = ("samba-tool", "drs", "replicate", *names, BASE, "--local", *_LOGIN)
            run(*_inside(self.folder, "tool", *command, _config(self.folder, into)))

    def texts(self, controller: str, name: str) -> dict[str, str]:
        """Return the texts of the objects of a name, by what replication added to the name."""
        query = f"(&(objectClass=container)(|(cn={name})(cn={name}\\0a*)))"
        where = ("-H", _database(self.folder, controller), "-b", f"CN=Users,{BASE}")
        answer = run("ldbsearch", *where, query, "cn", "description", "--show-binary")
        found, added = {}, ""
        for line in answer.splitlines():
            if line.startswith("dn: "):
                added = "CNF" if "CNF:" in line else ""
            elif line.startswith("description: "):
                found[added] = line.removeprefix("description: ")
        return found

    def _write(self, controller: str, name: str, *lines: str) -> None:
        text = "\n".join((f"dn: CN={name},CN=Users,{BASE}", *lines, ""))
        run("ldbmodify", "-H", _database(self.folder, controller), stdin=text)


def _database(folder: Path, controller: str) -> str:
    return f"{folder}/{controller}/private/sam.ldb"


def _config(folder: Path, controller: str) -> str:
    return f"--configfile={folder}/{controller}/etc/smb.conf"


def _inside(folder: Path, name: str, *command: str) -> list[str]:
    """Return a command that runs where names are those of the domain."""
    own = folder / f"run-{name}"
    own.mkdir(exist_ok=True)
    script = _NAMESPACE.format(folder=folder, run=own)
    kerberos = f"KRB5_CONFIG={folder}/krb5.conf"
    outside = ("unshare", "--mount", "bash", "-euc", script, "-")
    return ["env", kerberos, *outside, *command]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Pair]:
    """Provision a domain, join a second domain controller, and run both."""
    for name in ("samba", "samba-tool", "ldbmodify", "ldbsearch", "unshare"):
        peer_programs.program(name)
    first, second = ADDRESSES["dc1"], ADDRESSES["dc2"]
    hosts = (f"{address} {name}.{DOMAIN} {name}\n" for name, address in ADDRESSES.items())
    (folder / "hosts").write_text("".join(("127.0.0.1 localhost\n", *hosts)))
    (folder / "resolv.conf").write_text(f"nameserver {first}\n")
    text = _KERBEROS.format(realm=REALM, domain=DOMAIN, address=first)
    (folder / "krb5.conf").write_text(text)
    run(
        *("samba-tool", "domain", "provision", f"--realm={REALM}", "--domain=HQ"),
        *(f"--adminpass={ADMIN_PASSWORD}", "--server-role=dc", "--dns-backend=SAMBA_INTERNAL"),
        *("--host-name=dc1", f"--host-ip={first}", f"--targetdir={folder / 'dc1'}"),
        *_on(first),
    )
    with _process(folder, "dc1"):
        join = ("samba-tool", "domain", "join", DOMAIN, "DC", *_LOGIN, f"--server=dc1.{DOMAIN}")
        own = dict.fromkeys(("pid directory", "ncalrpc dir"), f"{folder}/run-dc2")
        options = {"netbios name": "DC2", "workgroup": "HQ", "realm": REALM, **own}
        run(
            *_inside(folder, "dc2", *join),
            *("--dns-backend=SAMBA_INTERNAL", f"--targetdir={folder / 'dc2'}"),
            *(f"--option={name}={value}" for name, value in options.items()),
            *_on(second),
            "--configfile=/dev/null",
        )
        with _process(folder, "dc2"):
            yield Pair(folder)


def _on(address: str) -> tuple[str, ...]:
    return (f"--option=interfaces={address}/8", "--option=bind interfaces only=yes")


@contextlib.contextmanager
def _process(folder: Path, name: str) -> Iterator[None]:
    command = ["samba", "-i", "-M", "prefork", "--debug-stdout", f"-s{folder}/{name}/etc/smb.conf"]
    command += [f"--option=server services={_SERVICES}", "--option=prefork children=1"]
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _inside(folder, name, *command),
            env={**os.environ, "PATH": f"/usr/sbin{os.pathsep}{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        for port in _PORTS[name]:
            await_port(ADDRESSES[name], port, process, log, _PATIENCE)
        yield
    finally:
        process.terminate()
        process.wait(10)


def missing() -> bool:
    """Whether this machine cannot have them: a program is missing, or the user is not root."""
    return bool(os.geteuid()) or shutil.which("samba", path="/usr/sbin:/usr/bin") is None
