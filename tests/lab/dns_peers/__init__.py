# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Second opinions on DNS: NSD, Unbound, dig, delv and adnshost beside the lab and mx_pairs_info.

NSD serves the same zones as the lab's own name server, with signed ones besides; Unbound resolves
and validates by asking that NSD. All of it lives on loopback.
"""
