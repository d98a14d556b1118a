@codex @AC1 @FR1
Feature: Codex CLI
  What it sends: codex.json. It reads a stream until response.completed and then closes the connection.

  @local @deployed @costs-tokens
  Scenario: Codex streams an answer
    When Codex asks for an answer
    Then the assistant gets its answer

  @local @deployed @costs-tokens
  Scenario Outline: Codex uses the tool <tool> and goes on
    When Codex lets the model use <tool> and goes on
    Then the model called it with arguments that fit its schema
    And the model read what the tool returned
    And the model answered the next question

    Examples: a function, a tool of free text, and a function of an MCP server
      | tool         |
      | exec_command |
      | apply_patch  |
      | lookup       |

  @local
  Scenario: Azure receives what Codex means
    When Codex lets the model use apply_patch and goes on
    Then Azure received each turn as Codex sent it, but for client_metadata

  @local @deployed @costs-tokens
  Scenario: Codex falls back from its WebSocket
    Given Codex tried a WebSocket first, and was told 426 at once
    When Codex asks for an answer
    Then the assistant gets its answer

  @local @FR5
  Scenario: Codex, which does not try again after a 429, never sees a short one
    Given Azure will answer the next request with 429 with no time
    When Codex asks for an answer
    Then the assistant gets its answer
    And Azure received 2 requests

  @local @FR5
  Scenario: Codex is told when to try again when Azure gives up in the middle of a stream
    Given Azure will break off the next stream because of its rate limit
    When Codex asks for an answer
    Then Codex reads that it should try again in 26 seconds

  @local @deployed @FR3
  Scenario: Codex is told that its key is wrong
    When Codex asks with a wrong key
    Then the request is refused with status 401 in OpenAI's error shape
    And the refusal names "API key"

  @local
  Scenario: Codex is told that it sent too much
    When Codex sends more than the model can take
    Then the request is refused with status 400 in OpenAI's error shape
    And the refusal names "exceeds the context window"
