# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A realm of its own on loopback: MIT's KDC as a plain process, beside whatever this machine has.

Its clients and acceptors find it by ``Realm.environment``; nothing in ``/etc`` is read or changed.
As in Active Directory, who asks for a ticket has to prove the password first.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REALM = "HQ.EXAMPLE"
_PATH = f"/usr/sbin{os.pathsep}{os.environ.get('PATH', os.defpath)}"
#: What clients ask for: pywinrm and we, pypsrp by default, Ansible's psrp plugin.
SERVICES = ("HTTP", "host", "WSMAN")
CLOCK_SKEW = 1  # seconds; a ticket counts so much longer than it says

CLIENT = """\
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  clockskew = {skew}
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  localhost = {realm}
"""

_SERVER = """\
[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {folder}/principal
    key_stash_file = {folder}/stash
    acl_file = {folder}/acl
    default_principal_flags = +preauth
  }}
"""


def missing() -> list[str]:
    """Return those programs and Python libraries that this machine has not."""
    programs = ("krb5kdc", "kdb5_util", "kadmin.local", "kinit", "kdestroy")
    libraries = ("gssapi", "krb5", "kerberos")
    lacking = [name for name in programs if shutil.which(name, path=_PATH) is None]
    return lacking + [name for name in libraries if importlib.util.find_spec(name) is None]


@dataclass(frozen=True, slots=True)
class Realm:
    """A running KDC; ``folder`` has its files, the tickets and the keys of the service."""

    folder: Path
    port: int

    @property
    def keytab(self) -> Path:
        """The keys of all services of localhost."""
        return self.folder / "keytab"

    @property
    def environment(self) -> dict[str, str]:
        """What leads clients and acceptors of a process here, and to nobody's own tickets."""
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{self.folder / 'tickets'}",
            "KRB5_KTNAME": str(self.keytab),
            "KRB5RCACHENAME": "none:",
        }

    def client_config(self, *, port: int | None = None) -> Path:
        """Write a configuration that looks for the KDC at another port; return the file."""
        file = self.folder / f"krb5-{port or self.port}.conf"
        text = CLIENT.format(realm=REALM, port=port or self.port, skew=CLOCK_SKEW)
        file.write_text(text, encoding="utf-8")
        return file

    def add(self, user: str, password: str) -> None:
        """Add a user, or change the password."""
        if self._admin(f"addprinc -pw {password} {user}"):
            self._admin(f"cpw -pw {password} {user}")

    def modify(self, user: str, options: str) -> None:
        """Change a user, by options of kadmin's ``modprinc``."""
        self._admin(f"modprinc {options} {user}")

    def serve(self, *names: str, keytab: Path | None = None) -> None:
        """Add services, and append their new keys to a key table."""
        file = keytab or self.keytab
        for name in names:
            self._admin(f"addprinc -randkey {name}")
            self._admin(f"ktadd -k {file} {name}")

    def login(self, user: str, password: str, *options: str) -> None:
        """Get a ticket, as a user does on the controller."""
        self._run(["kinit", *options, user], password + "\n")

    def logout(self) -> None:
        """Destroy the tickets, if there are any."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run(["kdestroy", "-q"])

    def _admin(self, command: str) -> bool:
        """Run a command of kadmin; tell whether it complained of what exists already."""
        return "already exists" in self._run(["kadmin.local", "-r", REALM, "-q", command])

    def _run(self, command: Sequence[str], stdin: str = "") -> str:
        return _run(command, self.environment, stdin)


def _run(command: Sequence[str], environment: Mapping[str, str], stdin: str = "") -> str:
    done = subprocess.run(
        command,
        input=stdin,
        env={**os.environ, "PATH": _PATH, "LC_ALL": "C", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


@contextlib.contextmanager
def running(folder: Path, users: Mapping[str, str]) -> Iterator[Realm]:
    """A realm with users (by password) and the services of localhost, in an empty folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        realm = Realm(folder, free.getsockname()[1])
    (folder / "krb5.conf").write_bytes(realm.client_config().read_bytes())
    server = _SERVER.format(realm=REALM, port=realm.port, folder=folder)
    (folder / "kdc.conf").write_text(server, encoding="utf-8")
    _run(["kdb5_util", "create", "-s", "-r", REALM, "-P", "master"], realm.environment)
    for user, password in users.items():
        realm.add(user, password)
    realm.serve(*(f"{service}/localhost" for service in SERVICES))
    with _process(realm):
        yield realm


@contextlib.contextmanager
def _process(realm: Realm) -> Iterator[None]:
    log = realm.folder / "kdc.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["krb5kdc", "-n", "-r", REALM],
            env={**os.environ, "PATH": _PATH, **realm.environment},
            stdout=output,
            stderr=output,
        )
    try:
        _await(realm.port, process, log)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the KDC does not run: {log.read_text()}")
        time.sleep(0.02)
