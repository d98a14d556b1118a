"""Makes, in Azure and GitHub, what an environment needs before it can be deployed; each part can be run again.

steps           what a step found and would change, and the three ways to go through steps
target          the environment, the subscription and the repository that it is all about
state           where Terraform keeps its state
directory       the app registrations, and what they may log in with
openai          the account of Azure OpenAI, which is there already
roles           what each identity may do
protection      GitHub's environments: who approves, which branch, which variables
parts           which steps a command takes, in order
"""

from __future__ import annotations

from enum import StrEnum


class Part(StrEnum):
    """What is made."""

    STATE = "state"
    IDENTITY = "identity"
    GITHUB = "github"
    ALL = "all"
