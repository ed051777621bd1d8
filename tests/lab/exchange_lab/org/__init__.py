# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Exchange 2010 to Subscription Edition organisation, spoken to by PowerShell remoting.

Facts come from Microsoft's cmdlet reference ("New-SendConnector", "Set-SendConnector", "Get-Queue",
"Retry-Queue", "Get-MessageTrackingLog", "Queues and messages in queues", "Message tracking") and
from a published trace of an Exchange 2016 answer to pypsrp. Where nothing is documented, a comment
says "the lab's assumption".
"""
