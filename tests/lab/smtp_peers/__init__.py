# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Second opinions on SMTP: a Postfix of its own, as the far server and as the relay.

It runs from a temporary folder, on loopback ports, and changes nothing of the system's own Postfix.
"""
