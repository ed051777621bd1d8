# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why Kerberos did not let us in, in one clear sentence: rules over the texts of exceptions. Pure.

MIT's library translates its texts, so an error is known by its number where the text has it, as
those of pykerberos, gssapi and krb5 have; ``kinit`` prints words only, and Ansible runs it without
the user's language.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from .causes import Rule, Words, rule

# Numbers of krb5.h count from this one; gssapi prints them without a sign.
_FIRST = -1765328384
_UNSIGNED = 2**32

_CLIENT_EXPIRED = 1
_CLIENT_UNKNOWN = 6
_SERVER_UNKNOWN = 7
_ETYPE_UNSUPPORTED = 14
_CLIENT_REVOKED = 18
_KEY_EXPIRED = 23
_PREAUTH_FAILED = 24
_BAD_INTEGRITY = 31
_TICKET_EXPIRED = 32
_TICKET_NOT_YET_VALID = 33
_SKEW = 37
_CONFIG_CANNOT_OPEN = 135
_CONFIG_BAD_FORMAT = 136
_CACHE_HAS_NONE = 141
_NO_ETYPE_LEFT = 150
_REALM_UNKNOWN = 154
_KDC_UNREACHABLE = 156
_NO_CACHE_FILE = 195
_NO_DEFAULT_REALM = 224


def _numbered(*codes: int) -> str:
    """Return a pattern for error numbers, signed or not."""
    return "|".join(rf"-{-(_FIRST + code)}\b|\b{_UNSIGNED + _FIRST + code}\b" for code in codes)


def kerberos_rules(words: Words) -> tuple[Rule, ...]:
    """Return the rules about Kerberos, which every protocol over HTTP shares."""
    return (*_of_this_machine(words), *_of_the_kdc(words), *_of_tickets(words), *_of_the_host())


def _of_this_machine(words: Words) -> tuple[Rule, ...]:
    return (
        rule(
            r"requires the Python gssapi|No module named '(?:gssapi|krb5)'"
            r"|requires the Python .*krb5|kerberos library is not installed"
            r"|pykerberos is not installed",
            "the Python libraries for Kerberos are missing where the task runs",
            f"Install {words.library}[kerberos], or choose another way to log in.",
            missing_library=True,
        ),
        rule(
            r"when calling kinit cmd",
            "the program kinit could not be run where the task runs",
            "Install it (krb5-user or krb5-workstation), or name it in ansible_winrm_kinit_cmd.",
        ),
        rule(
            _numbered(_CONFIG_CANNOT_OPEN, _CONFIG_BAD_FORMAT, _NO_DEFAULT_REALM)
            + r"|(?i:Kerberos configuration file|does not specify default realm)",
            "the Kerberos configuration where the task runs cannot be used",
            "Check krb5.conf (or the file in KRB5_CONFIG), and give the user as name@REALM.",
        ),
    )


def _of_the_kdc(words: Words) -> tuple[Rule, ...]:
    return (
        rule(
            _numbered(_PREAUTH_FAILED, _BAD_INTEGRITY)
            + r"|(?i:preauthentication failed|password incorrect|PREAUTH_FAILED"
            r"|decrypt integrity check failed)",
            "the password is wrong (the Kerberos server says so)",
            "Check user and password.",
        ),
        rule(
            _numbered(_KEY_EXPIRED) + r"|(?i:password has expired|ERR_KEY_EXP)",
            "the user's password has expired (the Kerberos server says so)",
            "Change the password.",
        ),
        rule(
            _numbered(_CLIENT_REVOKED, _CLIENT_EXPIRED)
            + r"|(?i:credentials have been revoked|CLIENT_REVOKED|client's entry .{0,40}expired)",
            "the user is disabled, locked or expired (the Kerberos server says so)",
            "Look at the account in the directory.",
        ),
        rule(
            _numbered(_CLIENT_UNKNOWN)
            + r"|(?i:client.{0,120}not found in kerberos database|C_PRINCIPAL_UNKNOWN"
            r"|client not found)",
            "the Kerberos server does not know this user",
            "Give the user as name@REALM, the realm in capitals.",
        ),
        rule(
            _numbered(_SERVER_UNKNOWN)
            + r"|(?i:server.{0,200}not found in kerberos database|S_PRINCIPAL_UNKNOWN"
            r"|server not found|wrong principal in request)",
            "Kerberos does not know this host's web service",
            "Call the host by the full name that its HTTP service principal has"
            f" ({words.host}), not by its address; see setspn -Q HTTP/FQDN.",
        ),
        rule(
            _numbered(_ETYPE_UNSUPPORTED, _NO_ETYPE_LEFT)
            + r"|(?i:no support for encryption type|ETYPE_NOSUPP)",
            "Kerberos found no kind of encryption that all sides allow",
            "Old hosts and old passwords have RC4 only: see permitted_enctypes and allow_rc4 in"
            " krb5.conf, or change the password of the host's or the user's account.",
        ),
        rule(
            _numbered(_SKEW, _TICKET_NOT_YET_VALID)
            + r"|(?i:clock skew too great|AP_ERR_SKEW|ticket not yet valid)",
            "the clocks of this machine and of the Kerberos server differ too much",
            "Set the clocks, by NTP for instance.",
        ),
        rule(
            _numbered(_REALM_UNKNOWN, _KDC_UNREACHABLE)
            + r"|(?i:cannot (?:contact|find|resolve).{0,60}KDC|KDC_UNREACH"
            r"|KRB5_REALM_UNKNOWN|cannot determine realm)",
            "no Kerberos server of this realm can be reached",
            "Check the realm in krb5.conf, DNS, and the firewall (port 88).",
        ),
    )


def _of_tickets(words: Words) -> tuple[Rule, ...]:
    return (
        rule(
            _numbered(_TICKET_EXPIRED)
            + r"|CredentialsExpiredError|ExpiredCredentialsError|ContextExpiredError"
            r"|ExpiredContextError|\b(?:720896|786432)\b"
            r"|(?i:ticket expired|AP_ERR_TKT_EXPIRED|credentials? (?:have|has) expired)",
            "the Kerberos ticket has expired",
            words.ticket,
        ),
        rule(
            _numbered(_CACHE_HAS_NONE, _NO_CACHE_FILE)
            + r"|NoCredentialError|MissingCredentialsError|\b458752\b"
            r"|(?i:no credentials? (?:cache|were supplied|available)"
            r"|No Kerberos credentials|credentials cache file.{0,120}not found|FCC_NOFILE)",
            "there is no Kerberos ticket for this login",
            words.ticket,
        ),
    )


def _of_the_host() -> tuple[Rule, ...]:
    return (
        rule(
            r"MutualAuthenticationError",
            "the host did not prove by Kerberos that it is the one it is taken for",
            "Check that its name leads to the host itself, not to a proxy or another machine.",
        ),
        rule(
            r"\bkerberos: (?:InvalidCredentialsError|the specified credentials were rejected)"
            r"|Failed to authenticate the user .{0,300} with kerberos",
            "the host did not accept the Kerberos ticket",
            "Its name may belong to another account (setspn -Q HTTP/FQDN), or its key is newer than"
            " the ticket (kdestroy, kinit); its clock may be wrong, Kerberos not be enabled there,"
            " or something in between replace its TLS certificate.",
        ),
    )
