"""One frozen tree of settings, and the set-up of the log."""

from __future__ import annotations

from settings.barmate import AuthorizationScheme, BarmateSettings, LinkBy
from settings.errors import SettingsError
from settings.groups import (
    AccountSettings,
    CreditsSettings,
    IsometricSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    Mode,
    RetentionSettings,
    TasksSettings,
    WebhookSettings,
    WebSettings,
)
from settings.load import load
from settings.tree import Settings

__all__ = [
    "AccountSettings",
    "AuthorizationScheme",
    "BarmateSettings",
    "CreditsSettings",
    "IsometricSettings",
    "LinkBy",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "Mode",
    "RetentionSettings",
    "Settings",
    "SettingsError",
    "TasksSettings",
    "WebSettings",
    "WebhookSettings",
    "load",
]
