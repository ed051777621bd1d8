# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every worker would do anew, done once in the process that forks them.

ansible-core loads an action plugin before it forks a worker for each host. What is loaded by then
is shared; what a library or ansible-core itself puts off until its first use is done by each
worker, for each host and task. So it is used here once. Nothing depends on it but time.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
from functools import cache

from ansible import template
from ansible.parsing.dataloader import DataLoader

# One filter and one test make ansible-core load all those of its own.
_TEMPLATE = "{{ [] | ansible.builtin.flatten is ansible.builtin.subset([]) }}"


@cache
def share() -> None:
    """Do it, once in a process."""
    _render()
    _encrypt()


def _render() -> None:
    """Make ansible-core load its lexer, filters and tests."""
    # Before 2.19 it renders whatever it is given, since then what is trusted.
    trust = getattr(template, "trust_as_template", str)
    template.Templar(loader=DataLoader(), variables={}).template(trust(_TEMPLATE))


def _encrypt() -> None:
    """Make OpenSSL look for RC4, with which NTLM encrypts messages; it may have none."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415

        try:  # where it is since cryptography 43, and where it was
            from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4  # noqa: PLC0415
        except ImportError:
            from cryptography.hazmat.primitives.ciphers.algorithms import ARC4  # noqa: PLC0415
    except ImportError:  # then NTLM is missing, too
        return
    with contextlib.suppress(UnsupportedAlgorithm):
        Cipher(ARC4(bytes(16)), mode=None).encryptor()  # noqa: S304 - it protects nothing
