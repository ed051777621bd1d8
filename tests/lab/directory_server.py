# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real LDAP server (OpenLDAP) with Active Directory's own schema, as OpenLDAP ships it.

It differs from a domain controller in what a search by ``objectCategory`` finds: there a class may
be given by its name, so here the attribute holds that name instead of a DN. ``memberOf`` gets the
matching rule that Active Directory applies to it; who is in which group is written down, not found.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import peer_programs
import pytest
from exchange_lab.windows.certificates import Certificate

SUFFIX = "DC=hq,DC=example"
LOGIN = f"CN=ansible,CN=Users,{SUFFIX}"
EXCHANGE_GROUPS = f"OU=Microsoft Exchange Security Groups,{SUFFIX}"
_SCHEMA = Path("/etc/ldap/schema")
_MODULES = Path("/usr/lib/ldap")
_OBJECT_CATEGORY = """\
\tNAME 'objectCategory'
\tSYNTAX '1.3.6.1.4.1.1466.115.121.1.12'
"""
_MEMBER_OF = """\
\tNAME 'memberOf'
\tSYNTAX '1.3.6.1.4.1.1466.115.121.1.12' )
"""
_LIKE_A_DOMAIN_CONTROLLER = {
    _OBJECT_CATEGORY: """\
\tNAME 'objectCategory'
\tEQUALITY caseIgnoreMatch
\tSYNTAX '1.3.6.1.4.1.1466.115.121.1.15'
""",
    _MEMBER_OF: """\
\tNAME 'memberOf'
\tEQUALITY distinguishedNameMatch
\tSYNTAX '1.3.6.1.4.1.1466.115.121.1.12' )
""",
}
_NAMING_CONTEXT = (
    "attributetype ( 1.3.6.1.4.1.4203.666.11.1.99 NAME 'defaultNamingContext'\n"
    "  SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 SINGLE-VALUE )\n"
)


@dataclass(frozen=True, slots=True)
class Computer:
    """A computer's account, and the names of the groups that it is in."""

    name: str
    groups: Sequence[str] = ()


@contextlib.contextmanager
def running(
    folder: Path, certificate: Certificate, password: str, computers: Sequence[Computer]
) -> Iterator[int]:
    """Serve the domain hq.example over LDAPS on 127.0.0.1; yields the port."""
    server, fill = peer_programs.program("slapd"), peer_programs.program("slapadd")
    port = peer_programs.free_port()
    (folder / "database").mkdir(parents=True)
    configuration = folder / "slapd.conf"
    configuration.write_text(_configuration(folder, certificate, password))
    # "-s": what a domain controller adds to an account by itself is not there.
    peer_programs.output(fill, "-q", "-s", "-f", configuration, stdin=_entries(computers))
    command = [server, "-d", "0", "-f", str(configuration), "-h", f"ldaps://127.0.0.1:{port}/"]
    with peer_programs.running(command, lambda: _listens(port), folder):
        yield port


def _configuration(folder: Path, certificate: Certificate, password: str) -> str:
    schema = (_SCHEMA / "msuser.schema").read_text()
    for theirs, ours in _LIKE_A_DOMAIN_CONTROLLER.items():
        if theirs not in schema:
            pytest.fail("OpenLDAP's msuser.schema is not the one that this file knows")
        schema = schema.replace(theirs, ours)
    (folder / "ad.schema").write_text(schema + _NAMING_CONTEXT)
    (folder / "root.ldif").write_text(f"dn:\ndefaultNamingContext: {SUFFIX}\n")
    lines = (
        *(
            f"include {_SCHEMA}/{name}.schema"
            for name in ("core", "cosine", "inetorgperson", "nis")
        ),
        f"include {folder}/ad.schema",
        f"modulepath {_MODULES}",
        "moduleload back_mdb",
        f"pidfile {folder}/pid",
        f"TLSCertificateFile {certificate.cert_file}",
        f"TLSCertificateKeyFile {certificate.key_file}",
        f"rootDSE {folder}/root.ldif",
        "disallow bind_anon",
        "require authc",
        "database mdb",
        f'suffix "{SUFFIX}"',
        f'rootdn "{LOGIN}"',
        f"rootpw {password}",
        f"directory {folder}/database",
    )
    return "\n".join(lines) + "\n"


def _entries(computers: Sequence[Computer]) -> str:
    """The domain's tree as LDIF."""
    entries: list[Mapping[str, Sequence[str]]] = [
        {"dn": [SUFFIX], "objectClass": ["domain"], "dc": ["hq"]},
        {"dn": [f"OU=Servers,{SUFFIX}"], "objectClass": ["organizationalUnit"], "ou": ["Servers"]},
    ]
    entries += [
        {
            "dn": [f"CN={one.name},OU=Servers,{SUFFIX}"],
            "objectClass": ["computer"],
            "objectCategory": ["computer"],
            "sAMAccountName": [f"{one.name}$"],
            "name": [one.name],
            "dNSHostName": [f"{one.name.lower()}.hq.example"],
            "memberOf": [f"CN={group},{EXCHANGE_GROUPS}" for group in one.groups],
        }
        for one in computers
    ]
    return "\n".join(
        "".join(f"{key}: {value}\n" for key, values in entry.items() for value in values)
        for entry in entries
    )


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
