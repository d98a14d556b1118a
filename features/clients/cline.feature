@cline @AC1 @FR1
Feature: Cline
  What it sends: cline.json. It has Azure store its turns, and sends reasoning back by id.

  @local @deployed @costs-tokens
  Scenario: Cline streams an answer
    When Cline asks for an answer
    Then the assistant gets its answer

  @local @deployed @costs-tokens
  Scenario: Cline uses a tool and goes on
    When Cline lets the model use read_file and goes on
    Then the model called it with arguments that fit its schema
    And the model read what the tool returned
    And the model answered the next question

  @local
  Scenario: Azure receives what Cline means
    When Cline lets the model use read_file and goes on
    Then Azure received each turn as Cline sent it

  @local @deployed @FR3
  Scenario: Cline is told that its key is wrong
    When Cline asks with a wrong key
    Then the request is refused with status 401 in OpenAI's error shape
    And the refusal names "API key"

  # It tries again by itself after a 429; what it is told at the end, it shows.
  @local @NFR1
  Scenario Outline: Cline is told <status> when Azure answers with <failure>
    Given Azure will answer every request with <failure>
    When Cline asks for an answer
    Then the request is refused with status <status> in OpenAI's error shape
    And the refusal says to come back after <seconds> seconds

    Examples:
      | failure                            | status | seconds |
      | 429 with Retry-After of 60 seconds | 429    | 60      |
      | 503                                | 503    | 5       |
