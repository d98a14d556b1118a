@roo-native @AC1 @FR1
Feature: Roo, provider "OpenAI"
  What it sends: roo.json. It asks at BASE/responses first, and after any error at BASE/v1/responses, whose error it
  shows. So both forms of the base URL work: without /v1, its own second attempt is the right one.

  @local @deployed @costs-tokens
  Scenario Outline: Roo streams an answer, its base URL <form>
    When Roo, with a base URL <form>, asks for an answer
    Then the assistant gets its answer

    Examples:
      | form        |
      | without /v1 |
      | with /v1    |

  @local @deployed @costs-tokens
  Scenario Outline: Roo uses the tool <tool> and goes on
    When Roo lets the model use <tool> and goes on
    Then the model called it with arguments that fit its schema
    And the model read what the tool returned
    And the model answered the next question

    Examples:
      | tool               |
      | read_file          |
      | attempt_completion |

  @local
  Scenario: Azure receives what Roo means
    When Roo lets the model use read_file and goes on
    Then Azure received each turn as Roo sent it

  @local
  Scenario Outline: Roo shows what Azure said, its base URL <form>
    Given Azure will answer every request with 403
    When Roo, with a base URL <form>, asks for an answer
    Then the assistant is told 403 in OpenAI's error shape
    And the refusal names "Virtual Network/Firewall rules"

    Examples:
      | form        |
      | without /v1 |
      | with /v1    |

  @local @deployed @FR3
  Scenario: Roo is told that its key is wrong
    When Roo asks with a wrong key
    Then the request is refused with status 401 in OpenAI's error shape
    And the refusal names "API key"

  @local @deployed
  Scenario: Roo is told the name of the model when it chose another than it was told to
    When Roo asks a model of its own choice
    Then the request is refused with a 4xx in OpenAI's error shape
    And the refusal names "gpt-5.1-codex-max"

  @local
  Scenario: Roo shortens a conversation that has become too long
    When Roo sends more than the model can take
    Then Roo sees that the conversation is too long, and shortens it
