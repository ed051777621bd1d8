# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Active Directory on loopback: Samba's domain controller, in folders of its own.

It is provisioned once in a process (about 8 seconds) and copied for each use. Nothing in ``/etc``
or ``/run`` is read or changed: names are given with their addresses.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from .certificates import Certificate
from .kdc import CLIENT, CLOCK_SKEW, REALM, SERVICES, Realm

BASE = "DC=hq,DC=example"
ADMINISTRATOR, ADMIN_PASSWORD = f"administrator@{REALM}", "Adm1n-Passw0rd"
ADDRESS = "127.0.77.9"
LDAP_SERVICE, LDAPS_PORT = f"ldap/{ADDRESS}", 636
_PROGRAMS = ("samba", "samba-tool", "ldbmodify", "kinit", "kdestroy")
_LIBRARIES = ("gssapi", "krb5", "kerberos")
_PATH = f"/usr/sbin{os.pathsep}{os.environ.get('PATH', os.defpath)}"
#: RC4, AES128, AES256: what an account supports that Windows made when it joined.
_ENCRYPTION_TYPES = 28
#: What kadmin's options of ``Realm.modify`` are in Active Directory.
_MODIFICATIONS = {
    "-expire yesterday": ("accountExpires", 130000000000000000),
    "-pwexpire yesterday": ("pwdLastSet", 0),
}


def missing() -> list[str]:
    """Return the programs and Python libraries that this machine lacks."""
    lacking = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
    return lacking + [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]


def run(*command: str, stdin: str = "", check: bool = True) -> str:
    """Run a program of Samba and return what it printed."""
    done = subprocess.run(
        command,
        input=stdin,
        env={**os.environ, "PATH": _PATH, "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-1500:]}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class DomainController(Realm):
    """A domain controller as a realm: users, services and tickets by Active Directory's KDC."""

    @property
    def config(self) -> str:
        """The option by which Samba's programs find this domain controller."""
        return f"--configfile={self.folder}/dc/etc/smb.conf"

    @property
    def database(self) -> str:
        """Its directory, for ldbmodify and ldbadd."""
        return f"{self.folder}/dc/private/sam.ldb"

    def client_config(self, *, port: int | None = None) -> Path:
        """Write a configuration that looks for the KDC at another port; return the file."""
        file = self.folder / f"krb5-{port or self.port}.conf"
        text = CLIENT.format(realm=REALM, port=port or self.port, skew=CLOCK_SKEW)
        if port is None:
            text = text.replace("kdc = 127.0.0.1", f"kdc = {ADDRESS}")
        file.write_text(text, encoding="utf-8")
        return file

    def add(self, user: str, password: str) -> None:
        """Add a user, or change the password."""
        name = user.partition("@")[0]
        said = run("samba-tool", "user", "create", name, password, self.config, check=False)
        if "already" in said:
            command = ("samba-tool", "user", "setpassword", name, f"--newpassword={password}")
            run(*command, self.config)

    def modify(self, user: str, options: str) -> None:
        """Change a user, by options of kadmin's ``modprinc``."""
        name = user.partition("@")[0]
        if options == "-allow_tix":
            run("samba-tool", "user", "disable", name, self.config)
            return
        attribute, value = _MODIFICATIONS[options]
        self.change(f"CN={name},CN=Users,{BASE}", attribute, str(value))

    def change(self, name: str, attribute: str, value: str) -> None:
        """Replace an attribute of an object, given by its distinguished name."""
        text = f"dn: {name}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n"
        run("ldbmodify", "-H", self.database, stdin=text)

    def load(self, text: str) -> None:
        """Add objects, or change them by ``changetype``, as an LDIF text has them."""
        run("ldbadd", "-H", self.database, stdin=text)

    def serve(self, *names: str, keytab: Path | None = None) -> None:
        """Add services to the account of their host, and append its keys to a key table."""
        host = names[0].partition("/")[2]
        account = f"SVC{host}"[:15]
        principals = [f"--service-principal-name={name}" for name in names]
        command = ("samba-tool", "computer", "create", account, *principals)
        run(*command, self.config, check=False)  # it may be there
        # "computer create" gives it no key and disables it.
        command = ("samba-tool", "user", "setpassword", f"{account}$")
        run(*command, "--newpassword=Comput3r-Passw0rd", self.config)
        run("samba-tool", "user", "enable", f"{account}$", self.config)
        # As Windows does when it joins; otherwise the KDC offers RC4 only, which MIT's library
        # refuses.
        types = ("msDS-SupportedEncryptionTypes", str(_ENCRYPTION_TYPES))
        self.change(f"CN={account},CN=Computers,{BASE}", *types)
        for name in names:
            command = ("samba-tool", "domain", "exportkeytab", str(keytab or self.keytab))
            run(*command, f"--principal={name}", self.config)


@cache
def _template() -> Path:
    """Provision a domain, and return its folder."""
    folder = Path(mkdtemp(prefix="active-directory-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run(
        *("samba-tool", "domain", "provision", f"--realm={REALM}", "--domain=HQ"),
        *(f"--adminpass={ADMIN_PASSWORD}", "--server-role=dc", "--dns-backend=SAMBA_INTERNAL"),
        *("--host-name=dc1", f"--host-ip={ADDRESS}", f"--targetdir={folder}"),
        *(f"--option=interfaces={ADDRESS}/8", "--option=bind interfaces only=yes"),
    )
    return folder


@contextlib.contextmanager
def running(
    folder: Path, users: Mapping[str, str], *, directory: Certificate | None = None
) -> Iterator[DomainController]:
    """The KDC of a domain with users (by password) and the services of localhost.

    With a certificate for ``ADDRESS``, its directory answers there, too, at LDAP's own ports, which
    takes root; one at a time.
    """
    template = _template()

    def sockets(place: str, names: list[str]) -> list[str]:
        return [name for name in names if (Path(place) / name).is_socket()]

    shutil.copytree(template, folder / "dc", symlinks=True, ignore=sockets)
    config = folder / "dc/etc/smb.conf"
    config.write_text(config.read_text().replace(str(template), str(folder / "dc")))
    with socket.socket() as free:
        free.bind((ADDRESS, 0))
        realm = DomainController(folder, free.getsockname()[1])
    (folder / "krb5.conf").write_bytes(realm.client_config().read_bytes())
    for user, password in users.items():
        realm.add(user, password)
    realm.serve(*(f"{service}/localhost" for service in SERVICES))
    options = {
        "krb5 port": realm.port,
        "kpasswd port": 0,
        "server services": "kdc",
        "pid directory": folder,
        "ncalrpc dir": folder / "ncalrpc",
        "log level": 1,
    }
    if directory is not None:
        realm.change(f"CN=DC1,OU=Domain Controllers,{BASE}", "servicePrincipalName", LDAP_SERVICE)
        options |= {
            "server services": "kdc, ldap",
            "tls keyfile": directory.key_file,
            "tls certfile": directory.cert_file,
            "tls cafile": "",
            # Kerberos within TLS, as Windows takes it where channel binding is not demanded.
            "ldap server require strong auth": "allow_sasl_over_tls",
        }
    command = ["samba", "-i", "-M", "single", "--debug-stdout", "-s", str(config)]
    command += [f"--option={name}={value}" for name, value in options.items()]
    log = folder / "samba.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, "PATH": _PATH},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        for port in (realm.port, *([] if directory is None else [LDAPS_PORT])):
            await_port(ADDRESS, port, process, log)
        yield realm
    finally:
        process.terminate()
        process.wait(10)


def await_port(
    address: str, port: int, process: subprocess.Popen[bytes], log: Path, patience: float = 30.0
) -> None:
    """Wait until a domain controller takes connections, for ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while True:
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the domain controller does not run: {log.read_text()[-3000:]}")
        time.sleep(0.05)
