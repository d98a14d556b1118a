@roo-compatible @AC1 @FR1 @FR2
Feature: Roo, provider "OpenAI Compatible"
  What it sends: roo_compatible.json. It speaks chat completions, which Azure does not serve for this model, with a
  temperature, which Azure refuses for it.

  @local @deployed @costs-tokens
  Scenario: Roo Compatible streams an answer
    When Roo Compatible asks for an answer
    Then the assistant gets its answer

  @local @deployed @costs-tokens
  Scenario Outline: Roo Compatible uses the tool <tool> and goes on
    When Roo Compatible lets the model use <tool> and goes on
    Then the model called it with arguments that fit its schema
    And the model read what the tool returned
    And the model answered the next question

    Examples:
      | tool               |
      | read_file          |
      | attempt_completion |

  @local
  Scenario: Azure receives what Roo Compatible means, and never a chat completion
    When Roo Compatible asks for an answer
    Then Azure received 1 request, all of them to its Responses API
    And Azure received of Roo Compatible a request of its Responses API that means the same

  @local @deployed
  Scenario: Roo Compatible lists the models
    When Roo Compatible asks for the list of models
    Then it holds the configured models and no other

  @local @deployed @FR3
  Scenario: Roo Compatible is told that its key is wrong
    When Roo Compatible asks with a wrong key
    Then the request is refused with status 401 in OpenAI's error shape
    And the refusal names "API key"

  @local
  Scenario: Roo Compatible shortens a conversation that has become too long
    When Roo Compatible sends more than the model can take
    Then Roo sees that the conversation is too long, and shortens it
