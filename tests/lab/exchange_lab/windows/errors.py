# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows error numbers and the sentences Windows prints for them, in English and German.

A lab host that speaks German is there to catch code that decides on words instead of numbers.
"""

from __future__ import annotations

FILE_NOT_FOUND = 2
PATH_NOT_FOUND = 3
ACCESS_DENIED = 5
DRIVE_NOT_FOUND = 15
SHARING_VIOLATION = 32
BAD_NETWORK_PATH = 53
FILE_EXISTS = 80
DISK_FULL = 112
INVALID_NAME = 123
NOT_EMPTY = 145
ALREADY_EXISTS = 183
DIRECTORY_NAME_INVALID = 267
SERVICE_DEPENDENTS_RUNNING = 1051
SERVICE_TIMEOUT = 1053
SERVICE_ALREADY_RUNNING = 1056
SERVICE_DISABLED = 1058
SERVICE_DOES_NOT_EXIST = 1060
SERVICE_CANNOT_ACCEPT = 1061
SERVICE_NOT_ACTIVE = 1062
SERVICE_SPECIFIC_ERROR = 1066
SERVICE_DEPENDENCY_FAILED = 1068
RPC_UNAVAILABLE = 1722

_ENGLISH = {
    FILE_NOT_FOUND: "The system cannot find the file specified.",
    PATH_NOT_FOUND: "The system cannot find the path specified.",
    ACCESS_DENIED: "Access is denied.",
    DRIVE_NOT_FOUND: "The system cannot find the drive specified.",
    SHARING_VIOLATION: "The process cannot access the file because it is being used by another "
    "process.",
    BAD_NETWORK_PATH: "The network path was not found.",
    FILE_EXISTS: "The file exists.",
    DISK_FULL: "There is not enough space on the disk.",
    INVALID_NAME: "The filename, directory name, or volume label syntax is incorrect.",
    NOT_EMPTY: "The directory is not empty.",
    ALREADY_EXISTS: "Cannot create a file when that file already exists.",
    DIRECTORY_NAME_INVALID: "The directory name is invalid.",
    SERVICE_DEPENDENTS_RUNNING: "A stop control has been sent to a service that other running "
    "services are dependent on.",
    SERVICE_TIMEOUT: "The service did not respond to the start or control request in a timely "
    "fashion.",
    SERVICE_ALREADY_RUNNING: "An instance of the service is already running.",
    SERVICE_DISABLED: "The service cannot be started, either because it is disabled or because it "
    "has no enabled devices associated with it.",
    SERVICE_DOES_NOT_EXIST: "The specified service does not exist as an installed service.",
    SERVICE_CANNOT_ACCEPT: "The service cannot accept control messages at this time.",
    SERVICE_NOT_ACTIVE: "The service has not been started.",
    SERVICE_SPECIFIC_ERROR: "The service has returned a service-specific error code.",
    SERVICE_DEPENDENCY_FAILED: "The dependency service or group failed to start.",
    RPC_UNAVAILABLE: "The RPC server is unavailable.",
}

_GERMAN = {
    FILE_NOT_FOUND: "Das System kann die angegebene Datei nicht finden.",
    PATH_NOT_FOUND: "Das System kann den angegebenen Pfad nicht finden.",
    ACCESS_DENIED: "Zugriff verweigert",
    DRIVE_NOT_FOUND: "Das System kann das angegebene Laufwerk nicht finden.",
    SHARING_VIOLATION: "Der Prozess kann nicht auf die Datei zugreifen, da sie von einem anderen "
    "Prozess verwendet wird.",
    BAD_NETWORK_PATH: "Der Netzwerkpfad wurde nicht gefunden.",
    FILE_EXISTS: "Die Datei ist vorhanden.",
    DISK_FULL: "Es steht nicht genug Speicherplatz auf dem Datenträger zur Verfügung.",
    INVALID_NAME: "Die Syntax für den Dateinamen, Verzeichnisnamen oder die "
    "Datenträgerbezeichnung ist falsch.",
    NOT_EMPTY: "Das Verzeichnis ist nicht leer.",
    ALREADY_EXISTS: "Eine Datei kann nicht erstellt werden, wenn sie bereits vorhanden ist.",
    DIRECTORY_NAME_INVALID: "Der Verzeichnisname ist ungültig.",
    SERVICE_DEPENDENTS_RUNNING: "Ein Steuerelement zum Anhalten wurde an einen Dienst gesendet, "
    "von dem andere laufende Dienste abhängig sind.",
    SERVICE_TIMEOUT: "Der Dienst antwortete nicht rechtzeitig auf die Start- oder "
    "Steuerungsanforderung.",
    SERVICE_ALREADY_RUNNING: "Es wird bereits eine Instanz des Dienstes ausgeführt.",
    SERVICE_DISABLED: "Der angegebene Dienst kann nicht gestartet werden. Er ist deaktiviert oder "
    "nicht mit aktivierten Geräten verbunden.",
    SERVICE_DOES_NOT_EXIST: "Der angegebene Dienst ist kein installierter Dienst.",
    SERVICE_CANNOT_ACCEPT: "Der Dienst kann zurzeit keine Steuermeldungen annehmen.",
    SERVICE_NOT_ACTIVE: "Der Dienst wurde nicht gestartet.",
    SERVICE_SPECIFIC_ERROR: "Der Dienst hat einen dienstspezifischen Fehlercode zurückgegeben.",
    SERVICE_DEPENDENCY_FAILED: "Der Abhängigkeitsdienst oder die Abhängigkeitsgruppe konnte nicht "
    "gestartet werden.",
    RPC_UNAVAILABLE: "Der RPC-Server ist nicht verfügbar.",
}

_LANGUAGES = {"en": _ENGLISH, "de": _GERMAN}


def text(code: int, language: str = "en") -> str:
    """Return the sentence for an error number, as FormatMessage does; unknown ones say so."""
    return _LANGUAGES[language].get(code, f"Unknown error {code} (0x{code:x}).")


class WinError(Exception):
    """A Windows call failed with this error number."""

    def __init__(self, code: int, subject: str = "") -> None:
        super().__init__(f"{subject}: {text(code)}" if subject else text(code))
        self.code = code
        self.subject = subject
