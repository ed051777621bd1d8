# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Postfix of these tests is: far server, relay, and a few kinds of misfortune."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from exchange_lab.windows.certificates import TestAuthority
from peer_programs import output, program

USER, PASSWORD = "mx", "correct-horse-battery"
REALM = "hq.example"
SENDER = "mx@hq.example"
FAR = ("nestle.com", "aol.com", "grey.example", "unknown.example", "busy.example")
MECHANISMS = ("plain", "login", "cram-md5")
# The limit of "small", in octets; a test message is longer.
SMALL = 300


def settings(policy_port: int, next_hops: Mapping[str, int]) -> dict[str, str]:
    """Return main.cf: whose mail is taken, what is refused, and where the rest goes."""
    mailboxes = ["postmaster@nestle.com", "bob@nestle.com", "postmaster@aol.com"]
    mailboxes += ["postmaster@grey.example", "postmaster@busy.example"]
    hops = {name: f"smtp:[127.0.0.1]:{port}" for name, port in next_hops.items()}
    return {
        "virtual_mailbox_domains": " ".join(FAR),
        "virtual_mailbox_maps": _inline({name: f"{name}/" for name in mailboxes}),
        "smtpd_restriction_classes": "greylisted",
        "greylisted": f"check_policy_service inet:127.0.0.1:{policy_port}",
        "smtpd_sender_restrictions": "check_sender_access "
        + _inline({"spammer@hq.example": "554 5.7.1 We know you"}),
        "smtpd_recipient_restrictions": "check_recipient_access "
        + _inline({"grey.example": "greylisted", "busy.example": "450 4.2.1 Mailbox busy"}),
        "smtpd_relay_restrictions": "permit_sasl_authenticated, reject_unauth_destination",
        "transport_maps": _inline(hops),
        "relay_domains": "",
        "default_transport": "discard",  # reports about what was refused
        "minimal_backoff_time": "300s",
        "cyrus_sasl_config_path": "{folder}/etc/sasl",
        "smtpd_sasl_local_domain": REALM,
        "smtpd_tls_loglevel": "1",
        "smtpd_client_event_limit_exceptions": "",
    }


def listeners(authority: TestAuthority) -> dict[str, dict[str, str]]:
    """Return master.cf's listeners, by name."""
    good = _certificate(authority, "127.0.0.1")
    tls = {"smtpd_tls_security_level": "may", **good}
    sasl = {"smtpd_sasl_auth_enable": "yes", "smtpd_tls_auth_only": "yes", **tls}
    return {
        "mx": {},
        "small": {"message_size_limit": str(SMALL)},
        "strict": {"smtpd_hard_error_limit": "3"},
        "crowded": {"smtpd_client_connection_count_limit": "1"},
        "tls": tls,
        "tls_only": {**tls, "smtpd_tls_security_level": "encrypt"},
        "other_name": {**tls, **_certificate(authority, "mail.hq.example")},
        "expired": {**tls, **_certificate(authority, "127.0.0.1", expired=True)},
        **{name: {**sasl, "smtpd_sasl_mechanism_filter": name} for name in (*MECHANISMS, "ntlm")},
        "cleartext": {"smtpd_sasl_auth_enable": "yes", "smtpd_tls_auth_only": "no"},
    }


def prepare(folder: Path) -> None:
    """Make the accounts that may relay."""
    sasl, database = folder / "etc" / "sasl", folder / "etc" / "sasldb2"
    sasl.mkdir()
    (sasl / "smtpd.conf").write_text(
        "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
        f"sasldb_path: {database}\nmech_list: PLAIN LOGIN CRAM-MD5 NTLM\n"
    )
    tool = program("saslpasswd2")
    output(tool, "-p", "-c", "-f", database, "-u", REALM, USER, stdin=PASSWORD)
    shutil.chown(database, "postfix", "postfix")


def _inline(entries: Mapping[str, str]) -> str:
    """Return a table that stands in the configuration itself."""
    return (
        "inline:{ " + ", ".join(f"{{ {key} = {value} }}" for key, value in entries.items()) + " }"
    )


def _certificate(authority: TestAuthority, name: str, *, expired: bool = False) -> dict[str, str]:
    issued = authority.issue(name, expired=expired)
    return {
        "smtpd_tls_cert_file": str(issued.cert_file),
        "smtpd_tls_key_file": str(issued.key_file),
    }
