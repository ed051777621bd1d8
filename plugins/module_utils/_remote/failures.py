# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a session failed, in one clear sentence: rules over the texts of exceptions. Pure.

The texts are those that pywinrm, pypsrp, pyspnego, Kerberos, requests and OpenSSL put into their
exceptions. They are matched and never shown, since they can hold a URL with a password. What is
shown of a host's own words (a fault's reason) is cut, made printable and cleared of the secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .parse import excerpt

CONFIGURATION = "Microsoft.Exchange"
_CHAIN_LIMIT = 12
_LINKS = 64
_TEXT_LIMIT = 4_096  # characters of one exception


@dataclass(frozen=True, slots=True)
class Cause:
    """A sentence without the host's name, and what to do next."""

    sentence: str
    hint: str = ""
    missing_library: bool = False

    @property
    def refused(self) -> bool:
        """Return True if a host or its domain rejected the account."""
        return self.sentence.startswith(_REFUSALS)


_REFUSALS = (
    "the login was refused",
    "the Kerberos server rejects the password",
    "the user's password has expired",
    "the user is disabled, locked or expired",
)


@dataclass(frozen=True, slots=True)
class Service:
    """A protocol over HTTP: how sentences call it, what hints call its options, and its faults.

    ``faults`` are causes by the error number of WS-Management (WinError.h, ERROR_WSMAN_...).
    """

    name: str
    library: str
    option: str
    host: str
    ca_cert: str
    connect_timeout: str
    ports: str
    running: str
    ticket: str
    login: str
    login_hint: str
    log: str
    garbage_hint: str
    quota: Cause
    http: Mapping[str, str]
    faults: Mapping[int, Cause] = field(default_factory=dict)


_MALFORMED = "the message is malformed (changed connection, or expired Kerberos ticket)"
WINRM = Service(
    name="WinRM",
    library="pywinrm",
    option="connection",
    host="ansible_host",
    ca_cert="ca_cert (ansible_winrm_ca_trust_path)",
    connect_timeout="connect_timeout (ansible_winrm_connection_timeout)",
    ports="Use 5985 for http and 5986 for https.",
    running="Check the port, and that the WinRM service runs (winrm quickconfig).",
    ticket=(
        "Get one with kinit (klist shows it); where the connection is ansible.builtin.winrm, a"
        " password in the inventory gets it."
    ),
    login="wrong user or password, or this transport is not enabled on the host",
    login_hint=(
        "Check user, password and transport; winrm get winrm/config/service/auth shows the rest."
    ),
    log="WinRM",
    garbage_hint="Check that host, port and path are those of a WinRM listener.",
    quota=Cause(
        "a WinRM limit on the host is reached (shells, operations or users at a time)",
        "Wait for other work to end, or raise the limit: winrm get winrm/config/winrs.",
    ),
    http={
        "400": _MALFORMED,
        "403": "access is forbidden",
        "404": "WinRM is not at this path",
        "503": "the service is not available now",
    },
    faults={
        5: Cause(  # ERROR_ACCESS_DENIED
            "the login succeeded, but this user may not use WinRM",
            "Add the user to the host's administrators or Remote Management Users.",
        ),
        0x8033805B: Cause("the WinRM shell no longer exists (idle timeout or WinRM restart)"),
    },
)
_NO_EXCHANGE = Cause(
    "PowerShell remoting answers, but without Exchange (no configuration Microsoft.Exchange)",
    "Check path and port: Exchange's endpoint is http://FQDN/PowerShell, not WinRM on 5985.",
)
_THROTTLED = Cause(
    "a limit of the host is reached (runspaces or operations of one user at a time)",
    "Wait for other work to end, or raise the user's throttling policy.",
)
EXCHANGE = Service(
    name="PowerShell remoting",
    library="pypsrp",
    option="endpoint",
    host="endpoint.host",
    ca_cert="endpoint.ca_cert",
    connect_timeout="endpoint.connect_timeout",
    ports="Use 80 for http and 443 for https.",
    running="Check endpoint.port and endpoint.scheme, and that IIS runs on the host.",
    ticket="Get one with kinit (klist shows it), or give user as name@REALM and password.",
    login="wrong user or password, or this user may not log in there",
    login_hint="Check user, password and auth; the user must be RemotePowerShellEnabled.",
    log="MSExchange and IIS",
    garbage_hint="Check that host, port and path are those of Exchange's PowerShell directory.",
    quota=_THROTTLED,
    http={
        "400": _MALFORMED,
        "403": "access is forbidden (over http, the directory may require SSL: endpoint.scheme)",
        "404": "no PowerShell directory at this path",
        "500": "the web application failed",
        "503": "the service is not available now (its application pool is stopped)",
    },
    faults={
        5: Cause(
            "the login succeeded, but this user may not use Exchange's PowerShell",
            "Set-User NAME -RemotePowerShellEnabled $true, and assign a management role.",
        ),
        0x8033803B: _NO_EXCHANGE,  # INVALID_RESOURCE_URI: WinRM has no such configuration
        0x8033805B: Cause("the runspace no longer exists (idle timeout or IIS restart)"),
        0x803381A5: _THROTTLED,  # QUOTA_MAX_SHELLS
        0x803381A6: _THROTTLED,  # QUOTA_MAX_OPERATIONS
        0x803381A7: _THROTTLED,  # QUOTA_USER
        0x803381A8: _THROTTLED,  # QUOTA_SYSTEM
    },
)


def _krb5(*codes: int) -> str:
    """Return a pattern for error numbers of krb5.h, which count from -1765328384.

    MIT's library translates its texts, so errors are recognised by number if the text has one, as
    those of pykerberos, gssapi (without a sign) and krb5 have. ``kinit`` prints words only, and
    Ansible runs it without the user's language.
    """
    first = -1765328384
    return "".join(rf"-{-(first + code)}\b|\b{2**32 + first + code}\b|" for code in codes)


# Pattern, sentence, hint. The first match counts, so special patterns come before general ones;
# ``{s}`` is the service.
# fmt: off
# ruff: noqa: ISC004
_LIBRARIES = (
    (r"(?:winrm or requests|xmltodict) is not installed",
     "the Python library pywinrm is missing where the task runs",
     "Install pywinrm >= 0.5."),
    (r"requests-credssp is not installed|Cannot use CredSSP",
     "the Python library for CredSSP is missing where the task runs",
     "Install {s.library}[credssp], or choose another way to log in."),
    (r"requires the Python gssapi|No module named '(?:gssapi|krb5)'|requires the Python .*krb5"
     r"|kerberos library is not installed|pykerberos is not installed",
     "the Python libraries for Kerberos are missing where the task runs",
     "Install {s.library}[kerberos], or choose another way to log in."),
    (r"is not installed|does not support transport",
     "a Python library for this way to log in is missing where the task runs",
     "Install pywinrm[credssp], or choose transport ntlm."),
    (r"Missing dependencies for SOCKS",
     "the Python library PySocks is missing where the task runs",
     "Install PySocks, which a proxy with socks in its URL needs."),
)
_KERBEROS = (
    (r"when calling kinit cmd",
     "the program kinit could not be run where the task runs",
     "Install it (krb5-user or krb5-workstation), or name it in ansible_winrm_kinit_cmd."),
    (_krb5(135, 136, 224) +
     r"(?i:Kerberos configuration file|does not specify default realm)",
     "the Kerberos configuration where the task runs cannot be used",
     "Check krb5.conf (or the file in KRB5_CONFIG), and give the user as name@REALM."),
    (_krb5(24, 31) +
     r"(?i:preauthentication failed|password incorrect|PREAUTH_FAILED"
     r"|decrypt integrity check failed)",
     "the Kerberos server rejects the password",
     "Check user and password."),
    (_krb5(23) + r"(?i:password has expired|ERR_KEY_EXP)",
     "the user's password has expired",
     "Change the password."),
    (_krb5(1, 18) +
     r"(?i:credentials have been revoked|CLIENT_REVOKED|client's entry .{0,40}expired)",
     "the user is disabled, locked or expired",
     "Check the account in the directory."),
    # "authGSSClientStep" comes before the words about a server, too.
    (_krb5(6) +
     r"(?i:\bclient(?: \S{1,200})? not found in kerberos database|C_PRINCIPAL_UNKNOWN"
     r"|\bclient not found)",
     "the Kerberos server has no such user",
     "Give the user as name@REALM, the realm in capitals."),
    (_krb5(7) +
     r"(?i:\bserver(?: \S{1,200})? not found in kerberos database|S_PRINCIPAL_UNKNOWN"
     r"|\bserver not found|wrong principal in request)",
     "the Kerberos server has no service principal (HTTP/ or WSMAN/) for this host",
     "Use the name that setspn -Q HTTP/FQDN finds, not an address ({s.host}), or register it."),
    (_krb5(14, 150) + r"(?i:no support for encryption type|ETYPE_NOSUPP)",
     "Kerberos found no encryption type that all sides allow",
     "Old hosts and old passwords have RC4 only: see permitted_enctypes and allow_rc4 in"
     " krb5.conf, or change the password of the host's or the user's account."),
    (_krb5(33, 37) + r"(?i:clock skew too great|AP_ERR_SKEW|ticket not yet valid)",
     "the clocks of this machine and of the Kerberos server differ too much",
     "Set the clocks, for instance by NTP."),
    (_krb5(154, 156) +
     r"(?i:cannot (?:contact|find|resolve).{0,60}KDC|KDC_UNREACH|KRB5_REALM_UNKNOWN"
     r"|cannot determine realm)",
     "no Kerberos server of this realm can be reached",
     "Check the realm in krb5.conf, DNS, and the firewall (port 88)."),
    (_krb5(32) +
     r"CredentialsExpiredError|ExpiredCredentialsError|ContextExpiredError|ExpiredContextError"
     r"|\b(?:720896|786432)\b"
     r"|(?i:ticket expired|AP_ERR_TKT_EXPIRED|credentials? (?:have|has) expired)",
     "the Kerberos ticket has expired",
     "{s.ticket}"),
    (_krb5(141, 195) +
     r"NoCredentialError|MissingCredentialsError|\b458752\b"
     r"|(?i:no credentials? (?:cache|were supplied|available)|No Kerberos credentials"
     r"|credentials cache file.{0,120}not found|FCC_NOFILE)",
     "no Kerberos ticket for this login",
     "{s.ticket}"),
    (r"MutualAuthenticationError",
     "Kerberos mutual authentication failed",
     "Check that the name leads to the host itself, not to a proxy or another machine."),
    (r"\bkerberos: (?:InvalidCredentialsError|the specified credentials were rejected)"
     r"|Failed to authenticate the user .{0,300} with kerberos",
     "the host rejected the Kerberos ticket",
     "Its name may belong to another account (setspn -Q HTTP/FQDN), its key may be newer than the"
     " ticket (kdestroy, kinit), its clock may be wrong, or something in between replaces its TLS"
     " certificate."),
)
_LOGIN = (
    (r"CredSSP being an available authentication method",
     "CredSSP is not enabled on the host",
     "Enable it there (Enable-WSManCredSSP -Role Server), or choose another way to log in."),
    (r"NTStatusException|Received NTStatus in TSRequest|with a CredSSP token after step",
     "the login was refused: wrong user or password, or the account may not log in",
     "Check user and password."),
    (r"did not response? with one of the following authentication|"
     r"incompatible with the specified auth_provider",
     "this way of authentication is not enabled on the endpoint",
     "Choose another auth; Get-PowerShellVirtualDirectory shows what is enabled."),
    *_KERBEROS,
    # pywinrm reports a missing file as bad credentials.
    (r"TLS certificate file|TLS key file|KEY_VALUES_MISMATCH|PEM lib"
     r"|cert(?:_key)?_pem file not found",
     "the client certificate or its key cannot be used",
     "Check client_cert and client_key."),
    (r"InvalidCredentialsError|credentials were rejected|did not respond with NTLM challenge"
     r"|AuthenticationError|InvalidCredentialError|LogonDenied",
     "the login was refused: {s.login}",
     "{s.login_hint}"),
)
_WIRE = (
    (r"Hostname mismatch|IP address mismatch|CertificateError|is not valid for|doesn't match",
     "the TLS certificate does not match the host name",
     "Use the name in the certificate, or get a certificate for this name."),
    (r"certificate has expired|certificate is not yet valid",
     "the TLS certificate has expired, or is not valid yet",
     "Renew the certificate; check the clocks on both sides."),
    (r"certificate verify failed|CERTIFICATE_VERIFY_FAILED",
     "the TLS certificate is not trusted",
     "Give the certificate of the authority as {s.ca_cert}."),
    (r"suitable TLS CA certificate bundle|NO_CERTIFICATE_OR_CRL_FOUND|X509: *NO_",
     "the file given as ca_cert is missing or holds no certificate",
     "Check {s.ca_cert}."),
    (r"WRONG_VERSION_NUMBER|UNKNOWN_PROTOCOL|packet length too long|http_request",
     "the port does not accept TLS",
     "{s.ports}"),
    (r"Tunnel connection failed: 40[17]|SOCKS5 authentication failed"
     r"|All offered SOCKS5 authentication methods were rejected",
     "the proxy requires a login, or rejects this one",
     "Put user and password into the URL of the {s.option}'s proxy."),
    (r"Tunnel connection failed: 4\d\d|SOCKS5Error: 0x02",
     "the proxy does not allow a connection to this host and port",
     "Allow them on the proxy (CONNECT, which many proxies allow to port 443 only)."),
    (r"Tunnel connection failed: 5\d\d|SOCKS5Error: 0x0[1345]"
     r"|SOCKS.{0,200}Connection closed unexpectedly",
     "the proxy could not reach the host",
     "Check name and port, as seen from the proxy, and that the service runs."),
    (r"ProxyError|Cannot connect to proxy|ProxySchemeUnknown|InvalidProxyURL"
     r"|ProxyConnectionError|SOCKSHTTPS?Connection\(",
     "the proxy could not be used",
     "Check the proxy of the {s.option}, that it runs, and the variables http_proxy, no_proxy."),
    (r"SSLError|SSLEOFError|SSLZeroReturn", "the TLS handshake failed", ""),
    (r"NameResolutionError|Failed to resolve|getaddrinfo|gaierror|Name or service not known",
     "the host name does not resolve",
     "Check the name of the host, or set {s.host}."),
    (r"ConnectionRefused|Connection refused|Errno 111\b|Errno 61\b",
     "the connection was refused: nothing listens on this port",
     "{s.running}"),
    (r"No route to host|Network is unreachable|Host is down",
     "no route to the host",
     "Check the address and the network."),
    (r"ConnectTimeout|[Cc]onnect timeout|Connection timed out|connection attempt timed out",
     "the host did not answer in time when the connection was opened",
     "Check the address and the firewall, or raise {s.connect_timeout}."),
    (r"later than the deadline|ReadTimeout|[Rr]ead timed out|TimeoutError|OperationTimeout"
     r"|timed out|slower than the read timeout",
     "the host accepted the connection but did not answer in time",
     "Check whether the host hangs, or raise {s.connect_timeout}."),
    (r"Krb5Error|[Kk]rb5|KRB5|Kerberos|GSS|gssapi",
     "Kerberos authentication failed",
     "Check klist and the realm, and use the full name of the host."),
    (r"SpnegoError|BadMechanismError|InvalidTokenError|BadBindingsError|MessageOutOfSequence"
     r"|OperationNotAvailable|BadMICError|FeatureMissing|NegotiateError",
     "the two sides could not agree on a login",
     "Choose another way to log in; a proxy or load balancer in between may break it, too."),
    (r"AnswerRefused",
     "not a valid {s.name} response (redirect, DTD, or too large)",
     "{s.garbage_hint}"),
    (r"RemoteDisconnected|Connection aborted|ConnectionReset|Connection reset|BrokenPipe"
     r"|Broken pipe|IncompleteRead|ChunkedEncodingError|ProtocolError",
     "the host closed the connection",
     "Check the host's event log for {s.log}; then run again."),
)
# fmt: on
_RULES = tuple(
    (re.compile(pattern), sentence, hint, rules is _LIBRARIES)
    for rules in (_LIBRARIES, _LOGIN, _WIRE)
    for pattern, sentence, hint in rules
)
_HTTP_STATUS = re.compile(r"Code:? (\d{3})\b")
_FAULT_IN_TEXT = re.compile(r"'wsmanfault_code': '?(\d{1,10})")


def describe(error: BaseException) -> str:
    """Return names and texts of an exception and all it wraps, for ``explain`` only.

    Exceptions hide in causes, contexts, arguments, and urllib3's ``reason``. Some hold a host's
    whole answer; only its beginning is needed to distinguish them.
    """
    texts: list[str] = []
    waiting: list[tuple[BaseException, int]] = [(error, 0)]
    seen: set[int] = set()
    while waiting and len(texts) < _LINKS:
        link, depth = waiting.pop(0)
        if id(link) in seen or depth > _CHAIN_LIMIT:
            continue
        seen.add(id(link))
        texts.append(f"{type(link).__name__}: {str(link)[:_TEXT_LIMIT]}")
        inner = (*link.args, getattr(link, "reason", None), link.__cause__, link.__context__)
        waiting += [(each, depth + 1) for each in inner if isinstance(each, BaseException)]
    return " | ".join(texts)


def explain(text: str, service: Service) -> Cause:
    """Return the cause behind the text of an exception, as ``describe`` returns it."""
    if "QuotaLimit" in text:
        return service.quota
    if fault := _FAULT_IN_TEXT.search(text):
        return _fault(int(fault[1]), "", service)
    for pattern, sentence, hint, missing_library in _RULES:
        if pattern.search(text):
            return Cause(sentence.format(s=service), hint.format(s=service), missing_library)
    sentence = f"not a valid {service.name} response"
    if status := _HTTP_STATUS.search(text):
        sentence = f"HTTP status {status[1]}: {service.http.get(status[1], sentence)}"
    return Cause(sentence, service.garbage_hint)


def explain_fault(
    code: object, subcode: str, reason: str, secrets: Iterable[str], service: Service
) -> Cause:
    """Return the cause that a WSMan fault gives: its number, its sub-code, the host's own words."""
    if subcode.endswith("QuotaLimit") or "MaxConcurrency" in reason:  # Exchange's own throttling
        return service.quota
    if f"{CONFIGURATION} session configuration" in reason and code not in service.faults:
        return _NO_EXCHANGE
    return _fault(code, clean(reason, secrets), service)


def _fault(code: object, words: str, service: Service) -> Cause:
    if isinstance(code, int) and code in service.faults:
        return service.faults[code]
    number = f" {code}" if isinstance(code, int) else ""
    return Cause(f"{service.name} returned fault{number}{': ' if words else ''}{words}")


#: A management role of Exchange that is documented to contain a cmdlet.
MANAGEMENT_ROLES = {
    "Get-AcceptedDomain": "View-Only Configuration",
    "Get-ExchangeServer": "View-Only Configuration",
    "Get-Message": "Transport Queues",
    "Get-MessageTrackingLog": "Message Tracking",
    "Get-Queue": "Transport Queues",
    "Get-SendConnector": "View-Only Configuration",
    "Get-TransportConfig": "View-Only Configuration",
    "Get-TransportServer": "View-Only Configuration",
    "Get-TransportService": "View-Only Configuration",
    "New-SendConnector": "Send Connectors",
    "Remove-SendConnector": "Send Connectors",
    "Retry-Queue": "Transport Queues",
    "Set-SendConnector": "Send Connectors",
}
_ROLE_LACKS = r"^(?:CommandNotFoundException|NamedParameterNotFound|AmbiguousParameter)"
_ERROR_HINTS = {
    r"ScriptsNotAllowed": (
        "This runspace does not allow this command; check for a proxy or a changed session"
        " configuration."
    ),
    r"ADTransient|SuitabilityDirectory|SuitabilityException|ServerUnavailable|ADExternal": (
        "A domain controller does not answer: run again, or choose one with domain_controller."
    ),
}


def hint_for(error_id: str, reason: str, cmdlet: str) -> str:
    """Return the hint for an error record of a cmdlet, or an empty text."""
    where = f"{error_id} {reason}"
    if re.search(_ROLE_LACKS, where):
        what = cmdlet if where.startswith("CommandNotFound") else f"this parameter of {cmdlet}"
        role = MANAGEMENT_ROLES.get(cmdlet)
        remedy = (
            f"The role {role!r} has it: add it to a role group of the user."
            if role
            else f"Get-ManagementRole -Cmdlet {cmdlet} lists the roles with it."
        )
        return (
            f"The management roles of this user, or this version of Exchange, lack {what}. {remedy}"
        )
    return next((hint for pattern, hint in _ERROR_HINTS.items() if re.search(pattern, where)), "")


def clean(text: str, secrets: Iterable[str], limit: int = 160) -> str:
    """Return a short printable piece of a host's words, without the secrets.

    They are looked for twice, since making text printable could put one together.
    """
    hidden = tuple(secrets)
    for secret in hidden:
        text = text.replace(secret, "********")
    text = excerpt(text.encode("utf-8", "replace"), limit)
    for secret in hidden:
        text = text.replace(secret, "********")
    return text
