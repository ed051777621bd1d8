# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``endpoint`` of all modules that run Exchange cmdlets."""

from __future__ import annotations


class ModuleDocFragment:
    """Options to reach Exchange's PowerShell; the argument spec is in _remote/options.py."""

    DOCUMENTATION = r"""
options:
  endpoint:
    description:
      - How to reach Exchange's own PowerShell endpoint, C(http://HOST/PowerShell), of Exchange 2010
        and later.
      - Host, user, password, authentication and trust are those of the option C(connection), or of
        the inventory, where they are not given here. Port, scheme and path
        are not, because the web server is a service other than WinRM.
      - A P(ansible.builtin.psrp#connection) connection with C(ansible_psrp_configuration_name) set
        to C(Microsoft.Exchange) is this very endpoint, and is taken as it is.
    type: dict
    suboptions:
      host:
        description:
          - Name or address of the Exchange server. V(kerberos) needs its full name.
        type: str
      port:
        description:
          - Port of the web server. The default is V(80), or V(443) with
            O(endpoint.scheme=https).
        type: int
      scheme:
        description:
          - The default is V(http), and V(https) with O(endpoint.port=443) or where the
            authentication needs it.
        type: str
        choices:
          - http
          - https
      path:
        description:
          - Path of the virtual directory. The default is V(PowerShell).
        type: str
      user:
        description:
          - User to log in as. V(kerberos) takes it as V(operator@HQ.EXAMPLE).
        type: str
      password:
        description:
          - Password of the user.
        type: str
      auth:
        description:
          - Way of authentication.
          - The default is that of the inventory, else V(certificate) if O(endpoint.client_cert) is
            given, else V(kerberos), which is what Exchange offers by default.
          - V(basic) has to be enabled on the virtual directory, and goes over HTTPS only, unless
            O(endpoint.message_encryption=never) asks for a readable password.
        type: str
        choices:
          - kerberos
          - negotiate
          - ntlm
          - basic
          - credssp
          - certificate
      ca_cert:
        description:
          - File with the certificates of the authorities to trust, in PEM format.
        type: path
      cert_validation:
        description:
          - Whether to check the TLS certificate of the server. The default is V(validate).
          - With V(ignore) anybody between here and the server can read and change all that is sent.
        type: str
        choices:
          - validate
          - ignore
      client_cert:
        description:
          - File with a client certificate, in PEM format.
        type: path
      client_key:
        description:
          - File with the key of O(endpoint.client_cert), in PEM format and without a password.
        type: path
      message_encryption:
        description:
          - Encryption within HTTP, as V(ntlm), V(kerberos), V(negotiate) and V(credssp) offer it.
          - V(auto), the default, encrypts over HTTP and leaves it to TLS over HTTPS.
        type: str
        choices:
          - auto
          - always
          - never
      connect_timeout:
        description:
          - Seconds to wait for the server to take the connection, and to open a runspace.
          - The default is V(60), since an idle web server takes a while to start.
        type: int
      proxy:
        description:
          - URL of a proxy, such as V(http://proxy.hq.example:3128), with user and password where it
            asks for them. V(socks5h://) needs the Python library C(PySocks).
          - The default comes from the environment, E(https_proxy), E(no_proxy) and the like.
            E(no_proxy) does not apply to a proxy that is given here.
        type: str
      ignore_proxy:
        description:
          - Connect without a proxy and ignore the environment. O(endpoint.proxy) overrides this.
        type: bool
      kerberos_hostname:
        description:
          - Name of the server in Kerberos, where it is reached by another, as through a tunnel.
        type: str
      kerberos_delegation:
        description:
          - Whether to hand the ticket on to the server, so that it can log in to others with it.
            The ticket has to be forwardable (C(kinit -f)).
        type: bool
requirements:
  - pypsrp >= 0.8
"""
