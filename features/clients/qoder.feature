@qoder @AC1 @FR1
Feature: Qoder
  What it sends: qoder.json with its provider "openai-responses", qoder_compatible.json with "openai".

  @local @deployed @costs-tokens
  Scenario Outline: Qoder streams an answer, as <provider>
    When <provider> asks for an answer
    Then the assistant gets its answer

    Examples:
      | provider         |
      | Qoder            |
      | Qoder Compatible |

  @local @deployed @costs-tokens
  Scenario Outline: Qoder uses a tool and goes on, as <provider>
    When <provider> lets the model use read_file and goes on
    Then the model called it with arguments that fit its schema
    And the model read what the tool returned
    And the model answered the next question

    Examples:
      | provider         |
      | Qoder            |
      | Qoder Compatible |

  @local
  Scenario: Azure receives what Qoder means
    When Qoder lets the model use read_file and goes on
    Then Azure received each turn as Qoder sent it

  @local @FR2
  Scenario: Azure receives what Qoder Compatible means
    When Qoder Compatible asks for an answer
    Then Azure received of Qoder Compatible a request of its Responses API that means the same

  @local @deployed @FR3
  Scenario Outline: Qoder is told that its key is wrong, as <provider>
    When <provider> asks with a wrong key
    Then the request is refused with status 401 in OpenAI's error shape
    And the refusal names "API key"

    Examples:
      | provider         |
      | Qoder            |
      | Qoder Compatible |

  # It tries again by itself after a 429; what it is told at the end, it shows.
  @local @NFR1
  Scenario Outline: Qoder is told <status> when Azure answers with <failure>, as <provider>
    Given Azure will answer every request with <failure>
    When <provider> asks for an answer
    Then the request is refused with status <status> in OpenAI's error shape
    And the refusal says to come back after <seconds> seconds

    Examples:
      | provider         | failure                            | status | seconds |
      | Qoder            | 429 with Retry-After of 60 seconds | 429    | 60      |
      | Qoder            | 503                                | 503    | 5       |
      | Qoder Compatible | 429 with Retry-After of 60 seconds | 429    | 60      |
      | Qoder Compatible | 503                                | 503    | 5       |
