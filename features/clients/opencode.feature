@opencode @AC1 @FR1
Feature: opencode
  What it sends: opencode.json with its provider "openai", opencode_compatible.json with "openai-compatible". It is
  built on Vercel's AI SDK, which by itself names stored items by their ids: vercel_ai_sdk.json.

  @local @deployed @costs-tokens
  Scenario Outline: opencode streams an answer, as <provider>
    When <provider> asks for an answer
    Then the assistant gets its answer

    Examples:
      | provider            |
      | opencode            |
      | opencode Compatible |

  @local @deployed @costs-tokens
  Scenario Outline: opencode uses a tool and goes on, as <provider>
    When <provider> lets the model use read and goes on
    Then the model called it with arguments that fit its schema
    And the model read what the tool returned
    And the model answered the next question

    Examples:
      | provider            |
      | opencode            |
      | opencode Compatible |
      | Vercel AI SDK       |

  @local
  Scenario Outline: Azure receives what opencode means, as <provider>
    When <provider> lets the model use read and goes on
    Then Azure received each turn as <provider> sent it

    Examples:
      | provider      |
      | opencode      |
      | Vercel AI SDK |

  @local @FR2
  Scenario: Azure receives what opencode Compatible means
    When opencode Compatible asks for an answer
    Then Azure received of opencode Compatible a request of its Responses API that means the same

  @local @deployed @FR3
  Scenario Outline: opencode is told that its key is wrong, as <provider>
    When <provider> asks with a wrong key
    Then the request is refused with status 401 in OpenAI's error shape
    And the refusal names "API key"

    Examples:
      | provider            |
      | opencode            |
      | opencode Compatible |

  # It tries again by itself after a 429; what it is told at the end, it shows.
  @local @NFR1
  Scenario Outline: opencode is told <status> when Azure answers with <failure>, as <provider>
    Given Azure will answer every request with <failure>
    When <provider> asks for an answer
    Then the request is refused with status <status> in OpenAI's error shape
    And the refusal says to come back after <seconds> seconds

    Examples:
      | provider            | failure                            | status | seconds |
      | opencode            | 429 with Retry-After of 60 seconds | 429    | 60      |
      | opencode            | 503                                | 503    | 5       |
      | opencode Compatible | 429 with Retry-After of 60 seconds | 429    | 60      |
      | opencode Compatible | 503                                | 503    | 5       |
