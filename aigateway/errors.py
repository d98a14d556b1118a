"""Every error that a person is meant to read.

    AigatewayError                  exit code 2: fix the input or the machine and run again
    ├── SettingsError               a settings file cannot be used
    ├── RenderError                 a template does not give a usable config
    ├── RuleViolationError          a rendered config breaks a rule
    ├── RuntimeInstallError         LiteLLM or Envoy could not be installed on this machine
    ├── LaunchError                 a part of the gateway did not start, or died
    ├── SimulatorError              the simulated Azure could not be started or reached
    ├── MissingImageError           a registry answers, and has no image of that tag
    └── ScanError                   a scan could not be done, so nothing is known

The command line prints the message and nothing else: it says what is wrong, where, and what to do next.
"""

from __future__ import annotations


class AigatewayError(Exception):
    """Something that the person at the keyboard can put right; the message says how."""

    exit_code = 2


class SettingsError(AigatewayError):
    """A settings file cannot be used."""


class RenderError(AigatewayError):
    """A template does not give a usable config."""


class RuleViolationError(AigatewayError):
    """A rendered config breaks a rule of `aigateway lint`."""


class RuntimeInstallError(AigatewayError):
    """LiteLLM or Envoy could not be installed on this machine."""


class LaunchError(AigatewayError):
    """A part of the gateway did not start, did not become ready, or died."""


class SimulatorError(AigatewayError):
    """The simulated Azure could not be started or reached."""


class MissingImageError(AigatewayError):
    """A registry answers, and has no image of that tag."""


class ScanError(AigatewayError):
    """A scan could not be done, or not whole: nothing is known, and that is no pass."""
