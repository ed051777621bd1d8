# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules from the text of an exception to one clear sentence, and those that protocols share. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """A sentence without the host's name, and what to do next."""

    sentence: str
    hint: str = ""
    missing_library: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What a pattern in the text of an exception means."""

    pattern: re.Pattern[str]
    cause: Cause


def rule(pattern: str, sentence: str, hint: str = "", *, missing_library: bool = False) -> Rule:
    """Return the rule of a regular expression."""
    return Rule(re.compile(pattern), Cause(sentence, hint, missing_library))


def first_cause(rules: Iterable[Rule], text: str) -> Cause | None:
    """Return the cause of the first rule that fits."""
    return next((each.cause for each in rules if each.pattern.search(text)), None)


CLIENT_CERTIFICATE = rule(
    r"TLS certificate file|TLS key file|KEY_VALUES_MISMATCH|PEM lib"
    r"|cert(?:_key)?_pem file not found",
    "the client certificate or its key cannot be used",
    "Check client_cert and client_key.",
)


@dataclass(frozen=True, slots=True)
class Words:
    """What hints call the options of one protocol, its service, and its Python library."""

    what: str
    host: str
    ca_cert: str
    connect_timeout: str
    ports: str
    service: str
    library: str
    ticket: str


def proxy_rules(words: Words) -> tuple[Rule, ...]:
    """Return the rules about proxies between here and the host."""
    return (
        rule(
            r"Missing dependencies for SOCKS",
            "the Python library PySocks is missing where the task runs",
            "Install PySocks, which a proxy with socks in its URL needs.",
            missing_library=True,
        ),
        rule(
            r"Tunnel connection failed: 40[17]|SOCKS5 authentication failed"
            r"|All offered SOCKS5 authentication methods were rejected",
            "the proxy asks for a login, or refuses this one",
            f"Put user and password into the URL of the {words.what}'s proxy.",
        ),
        rule(
            r"Tunnel connection failed: 4\d\d|SOCKS5Error: 0x02",
            "the proxy does not allow a connection to this host and port",
            "Have it allow them (CONNECT, which many proxies allow to port 443 only).",
        ),
        rule(
            r"Tunnel connection failed: 5\d\d|SOCKS5Error: 0x0[1345]"
            r"|SOCKS.{0,200}Connection closed unexpectedly",
            "the proxy could not reach the host",
            "Check name and port, as seen from the proxy, and that the service runs.",
        ),
        rule(
            r"ProxyError|Cannot connect to proxy|ProxySchemeUnknown|InvalidProxyURL"
            r"|ProxyConnectionError|SOCKSHTTPS?Connection\(",
            "the proxy could not be used",
            f"Check the proxy of the {words.what}, that it runs, and the variables http_proxy and"
            " no_proxy.",
        ),
    )


def wire_rules(words: Words) -> tuple[Rule, ...]:
    """Return the rules about TLS, proxies, names and TCP, which every protocol over HTTP shares."""
    return (
        rule(
            r"Hostname mismatch|IP address mismatch|CertificateError|is not valid for"
            r"|doesn't match",
            "the TLS certificate is made out to another name",
            "Use the name the certificate has, or get a certificate for this name.",
        ),
        rule(
            r"certificate has expired|certificate is not yet valid",
            "the TLS certificate has expired, or is not valid yet",
            "Renew the certificate; check the clocks on both sides.",
        ),
        rule(
            r"certificate verify failed|CERTIFICATE_VERIFY_FAILED",
            "the TLS certificate is not trusted",
            f"Give the certificate of the authority as {words.ca_cert}.",
        ),
        rule(
            r"suitable TLS CA certificate bundle|NO_CERTIFICATE_OR_CRL_FOUND|X509: *NO_",
            "the file given as ca_cert is missing or holds no certificate",
            f"Check {words.ca_cert}.",
        ),
        CLIENT_CERTIFICATE,
        rule(
            r"WRONG_VERSION_NUMBER|UNKNOWN_PROTOCOL|packet length too long|http_request",
            "no TLS is spoken on this port",
            words.ports,
        ),
        *proxy_rules(words),
        rule(r"SSLError|SSLEOFError|SSLZeroReturn", "the TLS handshake failed"),
        rule(
            r"NameResolutionError|Failed to resolve|getaddrinfo|gaierror|Name or service not known",
            "DNS does not know this name",
            f"Check the name of the host, or set {words.host}.",
        ),
        rule(
            r"ConnectionRefused|Connection refused|Errno 111\b|Errno 61\b",
            "the connection was refused: nothing listens on this port",
            words.service,
        ),
        rule(
            r"No route to host|Network is unreachable|Host is down",
            "there is no route to the host",
            "Check the address and the network.",
        ),
        rule(
            r"ConnectTimeout|[Cc]onnect timeout|Connection timed out|connection attempt timed out",
            "the host did not answer in time when the connection was opened",
            f"Check the address and the firewall, or raise {words.connect_timeout}.",
        ),
    )


def credssp_rules(words: Words) -> tuple[Rule, ...]:
    """Return the rules about CredSSP, from the texts of the library that both protocols use."""
    return (
        rule(
            r"requests-credssp is not installed|Cannot use CredSSP",
            "the Python library for CredSSP is missing where the task runs",
            f"Install {words.library}[credssp], or choose another way to log in.",
            missing_library=True,
        ),
        rule(
            r"CredSSP being an available authentication method",
            "CredSSP is not enabled on the host",
            "Enable it there (Enable-WSManCredSSP -Role Server), or choose another way to log in.",
        ),
        rule(
            r"NTStatusException|Received NTStatus in TSRequest|with a CredSSP token after step",
            "the login was refused: wrong user or password, or the account may not log in",
            "Check user and password.",
        ),
    )
