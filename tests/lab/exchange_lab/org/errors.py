# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of cmdlets, with the identifiers that PowerShell and Exchange give them.

PowerShell's own ones (a term that is not recognised, a parameter that cannot be found) are as
"about_Language_Modes" and PowerShell's resources have them. Exchange's have a fully qualified id
of the form ``[Server=EX01,RequestId=GUID,TimeStamp=M/D/YYYY h:mm:ss AM]
[FailureCategory=Cmdlet-REASON] HEX,CMDLET-CLASS`` (2013 and later; 2010 shows ``HEX,CLASS``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_LANGUAGE = (
    "The syntax is not supported by this runspace. This might be because it is in no-language mode."
)

_DOTNET = "System.Exception"


@dataclass(slots=True)
class CmdletError(Exception):
    """One PowerShell error record.

    ``reason`` is the .NET class without its name space, ``namespace`` where it lives. A terminating
    error ends the pipeline in state Failed, another one is written to the error stream.
    ``exchange`` errors get Exchange's prefix in their fully qualified id.
    """

    message: str
    reason: str
    error_id: str
    category: str = "NotSpecified"
    namespace: str = "System.Management.Automation"
    terminating: bool = False
    exchange: bool = False
    target: str = ""
    parents: Sequence[str] = field(default=())

    def __str__(self) -> str:
        return self.message

    @property
    def type_names(self) -> list[str]:
        """The exception's .NET type names, most derived first."""
        return [f"{self.namespace}.{self.reason}", *self.parents, _DOTNET, "System.Object"]


_RUNTIME = ("System.Management.Automation.RuntimeException", "System.SystemException")


def scripts_not_allowed(script: str) -> CmdletError:
    """Script text or syntax in a runspace without a language ("about_Language_Modes")."""
    return CmdletError(
        NO_LANGUAGE,
        "ParseException",
        "ScriptsNotAllowed",
        category="ParserError",
        terminating=True,
        target=script[:40],
        parents=_RUNTIME,
    )


def command_not_found(name: str) -> CmdletError:
    """A cmdlet that does not exist, or that the administrator's roles do not contain."""
    return CmdletError(
        f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or "
        "operable program. Check the spelling of the name, or if a path was included, verify that "
        "the path is correct and try again.",
        "CommandNotFoundException",
        "CommandNotFoundException",
        category="ObjectNotFound",
        terminating=True,
        target=name,
        parents=_RUNTIME,
    )


def _binding(message: str, error_id: str, reason: str = "ParameterBindingException") -> CmdletError:
    return CmdletError(
        message,
        reason,
        error_id,
        category="InvalidData" if "Argument" in error_id else "InvalidArgument",
        terminating=True,
        parents=("System.Management.Automation.ParameterBindingException", *_RUNTIME)
        if reason != "ParameterBindingException"
        else _RUNTIME,
    )


def parameter_not_found(name: str) -> CmdletError:
    """A parameter name that the cmdlet of this version does not have."""
    return _binding(
        f"A parameter cannot be found that matches parameter name '{name}'.",
        "NamedParameterNotFound",
    )


def parameter_ambiguous(name: str, matches: Sequence[str]) -> CmdletError:
    """An abbreviation that fits several parameters."""
    possible = " ".join(f"-{match}" for match in matches)
    return _binding(
        f"Parameter cannot be processed because the parameter name '{name}' is ambiguous. "
        f"Possible matches include: {possible}.",
        "AmbiguousParameter",
    )


def parameter_twice(name: str) -> CmdletError:
    """The same parameter more than once."""
    return _binding(
        f"Cannot bind parameter because parameter '{name}' is specified more than once. To provide "
        "multiple values to parameters that can accept multiple values, use the array syntax. For "
        'example, "-parameter value1,value2,value3".',
        "ParameterAlreadyBound",
    )


def positional_not_found(value: str) -> CmdletError:
    """More positional arguments than the cmdlet has places."""
    return _binding(
        f"A positional parameter cannot be found that accepts argument '{value}'.",
        "PositionalParameterNotFound",
    )


def missing_mandatory(names: Sequence[str]) -> CmdletError:
    """A mandatory parameter is missing, and there is nobody to ask for it."""
    return _binding(
        "Cannot process command because of one or more missing mandatory parameters: "
        f"{' '.join(names)}.",
        "MissingMandatoryParameter",
    )


def parameter_set() -> CmdletError:
    """Parameters that exclude each other (``Identity`` and ``Filter``)."""
    return _binding(
        "Parameter set cannot be resolved using the specified named parameters.",
        "AmbiguousParameterSet",
    )


def transformation(parameter: str, value: object, type_name: str, why: str) -> CmdletError:
    """A value that cannot be converted to the parameter's type."""
    return _binding(
        f"Cannot process argument transformation on parameter '{parameter}'. Cannot convert value "
        f'"{value}" to type "{type_name}". Error: "{why}"',
        "ParameterArgumentTransformationError",
        "ParameterBindingArgumentTransformationException",
    )


def confirmation_impossible(question: str) -> CmdletError:
    """A cmdlet that asks, in a session whose host cannot ask anybody."""
    return CmdletError(
        "A command that prompts the user failed because the host program or the command type does "
        "not support user interaction. The host was attempting to request confirmation with the "
        f"following message: {question}",
        "HostException",
        "PromptFailure",  # the lab's assumption
        category="NotImplemented",
        namespace="System.Management.Automation.Host",
        terminating=True,
        parents=_RUNTIME,
    )


_TASKS = "Microsoft.Exchange.Configuration.Tasks"
_DIRECTORY = "Microsoft.Exchange.Data.Directory"
_LOCALIZED = ("Microsoft.Exchange.Data.Common.LocalizedException",)


def object_not_found(identity: str, domain_controller: str) -> CmdletError:
    """No object of that name on that domain controller."""
    return CmdletError(
        f"The operation couldn't be performed because object '{identity}' couldn't be found on "
        f"'{domain_controller}'.",
        "ManagementObjectNotFoundException",
        "",
        namespace=_TASKS,
        exchange=True,
        parents=_LOCALIZED,
    )


def object_exists(distinguished_name: str, domain_controller: str) -> CmdletError:
    """An object of that name stands in the directory already.

    The type is public; that New-SendConnector uses it, and the text, are the lab's assumption.
    """
    return CmdletError(
        f"Active Directory operation failed on {domain_controller}. The object "
        f"'{distinguished_name}' already exists.",
        "ADObjectAlreadyExistsException",
        "",
        namespace=_DIRECTORY,
        exchange=True,
        parents=_LOCALIZED,
    )


def domain_controller_unreachable(name: str) -> CmdletError:
    """The domain controller asked for does not answer, or does not exist (the text is public)."""
    return CmdletError(
        f"An Active Directory error 0x51 occurred when trying to check the suitability of server "
        f"'{name}'. Error: 'Active directory response: The LDAP server is unavailable.'",
        "SuitabilityDirectoryException",
        "",
        namespace=_DIRECTORY,
        exchange=True,
        parents=_LOCALIZED,
    )


def invalid_operation(message: str) -> CmdletError:
    """Settings that contradict each other; the texts are the lab's assumption."""
    return CmdletError(
        message,
        "InvalidOperationException",
        "",
        category="InvalidOperation",
        namespace="System",
        exchange=True,
        parents=("System.SystemException",),
    )


def transient(message: str) -> CmdletError:
    """A failure of the directory or the server that may pass (fault injection)."""
    return CmdletError(
        message,
        "ADTransientException",
        "",
        namespace=_DIRECTORY,
        exchange=True,
        parents=_LOCALIZED,
    )
