# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``connection`` of all modules that work on a host."""

from __future__ import annotations


class ModuleDocFragment:
    """Options to reach a host by WinRM; the argument spec is in _remote/options.py."""

    DOCUMENTATION = r"""
options:
  connection:
    description:
      - How to reach the host by WinRM, for settings that the inventory lacks.
      - Not needed for a host with the connection P(ansible.builtin.winrm#connection). The task then
        uses the connection that the inventory describes, managed Kerberos tickets included.
      - With P(ansible.builtin.psrp#connection) and P(ansible.builtin.local#connection), what is not
        given here is taken from the options and variables of the inventory (C(ansible_host),
        C(ansible_port), C(ansible_user), C(ansible_password), C(ansible_winrm_*),
        C(ansible_psrp_*)).
      - Values given here override the inventory.
      - A module on the machine of any other connection has no inventory, so at least
        O(connection.host) is needed.
    type: dict
    suboptions:
      host:
        description:
          - Name or address of the host.
        type: str
      port:
        description:
          - Port of the WinRM listener.
          - The default is V(5986), or V(5985) with O(connection.scheme=http).
        type: int
      scheme:
        description:
          - The default is V(https), or V(http) with O(connection.port=5985).
        type: str
        choices:
          - http
          - https
      path:
        description:
          - Path of the WinRM listener. The default is V(/wsman).
        type: str
      user:
        description:
          - User to log in as, such as V(HQ\\operator), V(operator) or V(operator@HQ.EXAMPLE).
        type: str
      password:
        description:
          - Password of the user. Not used with a client certificate or with V(kerberos).
        type: str
      transport:
        description:
          - Way of authentication.
          - The default is V(certificate) if O(connection.client_cert) is given, V(kerberos) for a
            user that contains C(@), and V(ntlm) otherwise.
          - V(kerberos) uses a ticket that is there already, and needs C(pywinrm[kerberos]);
            V(credssp) needs C(pywinrm[credssp]).
          - V(negotiate) is V(kerberos) where there is a ticket, and else V(ntlm).
          - V(basic) over HTTP would send the password readable, so it is refused unless
            O(connection.message_encryption=never) asks for it.
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
          - By default those of the Python library C(certifi), or of E(REQUESTS_CA_BUNDLE).
        type: path
      cert_validation:
        description:
          - Whether to check the TLS certificate of the host. The default is V(validate).
          - With V(ignore) anybody between here and the host can read and change all that is sent.
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
          - File with the key of O(connection.client_cert), in PEM format and without a password.
        type: path
      message_encryption:
        description:
          - Encryption within HTTP, as V(ntlm), V(kerberos) and V(credssp) offer it.
          - V(auto), the default, encrypts over HTTP and leaves it to TLS over HTTPS.
        type: str
        choices:
          - auto
          - always
          - never
      connect_timeout:
        description:
          - Seconds to wait for the host to take the connection, and to answer when it is opened.
          - The default is V(30).
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
          - Connect without a proxy and ignore the environment. O(connection.proxy) overrides this.
        type: bool
      kerberos_hostname:
        description:
          - Name of the host in Kerberos, where it is reached by another, as through a tunnel.
        type: str
      kerberos_delegation:
        description:
          - Whether to hand the ticket on to the host, so that it can log in to others with it. The
            ticket has to be forwardable (C(kinit -f)).
        type: bool
  stop_at_refused_login:
    description:
      - After a host has refused a login, do not try the same user and password at any other host of
        the run, which are unreachable then and have C(not_tried) in their result. Directories lock
        an account after a few wrong passwords.
      - This holds until one login with them has succeeded. It counts for tasks that run on the
        controller.
    type: bool
    default: true
requirements:
  - pywinrm >= 0.5
"""
