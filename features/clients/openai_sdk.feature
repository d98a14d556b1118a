@openai-sdk @AC1 @G1 @G2
Feature: OpenAI's package for Python
  What programs and agents are written with: its helpers, its own retries, and the errors that it raises.

  Rule: A program gets its answer

    @local @deployed @costs-tokens
    Scenario Outline: A program streams an answer through <helper>
      When a program streams an answer through <helper>
      Then the assistant gets its answer

      Examples:
        | helper                             |
        | responses.stream                   |
        | chat.completions.stream            |
        | responses.create of AsyncOpenAI    |

    @local @deployed @costs-tokens
    Scenario: A program asks for an answer of a given type
      When a program asks for a city and a number, as a type of its own
      Then it gets them as that type

    @local @FR5
    Scenario: A program's own retry succeeds after the gateway's were used up
      Given Azure will answer as many requests as the gateway tries with 429 with retry-after-ms
      When a program asks and tries again by itself
      Then the assistant gets its answer
      And Azure received one request more than the gateway tries

  Rule: A program is told what went wrong

    @local @deployed @FR3
    Scenario: A program with a wrong key
      When a program asks with a wrong key
      Then the package raises AuthenticationError
      And the error carries the request id of the gateway's answer

    @local
    Scenario Outline: A program whose request Azure answers with <failure>
      Given Azure will answer every request with <failure>
      When a program asks
      Then the package raises <error>
      And the error carries the request id of the gateway's answer

      Examples:
        | failure          | error                 |
        | 400              | BadRequestError       |
        | 403              | PermissionDeniedError |
        | 409              | ConflictError         |
        | 429 with no time | RateLimitError        |

    @local @deployed @costs-tokens
    Scenario: A program that reads a response which it has deleted
      When a program reads a response which it has deleted
      Then the package raises NotFoundError
      And the error carries the request id of the gateway's answer

    @local @deployed
    Scenario: A program that names a response which is not the gateway's
      When a program names a response which is not the gateway's
      Then the package raises BadRequestError

    @local
    Scenario: Azure's words reach a program, wrapped in LiteLLM's
      When a program sends more than the model can take
      Then the package raises BadRequestError
      And its message holds Azure's own error as JSON, with code and parameter
      And its own code is only the status, and its parameter is lost

    @local
    Scenario Outline: A program learns that Azure's content filter refused <operation>
      Given Azure's content filter will refuse the next request
      When a program asks for <operation>
      Then the package raises BadRequestError
      And its message says that it was the content filter

      Examples:
        | operation                  |
        | an answer                  |
        | a streamed answer          |
        | a chat completion          |
        | a streamed chat completion |
        | embeddings                 |

    @local @NFR1
    Scenario Outline: A program that <does> a stored response while Azure answers with <failure>
      Given a program has stored a response
      And Azure will answer every request with <failure>
      When it <does> the stored response
      Then the package raises <error>
      And the error carries the request id of the gateway's answer

      Examples:
        | does    | failure          | error               |
        | reads   | 500              | InternalServerError |
        | reads   | 429 with no time | RateLimitError      |
        | deletes | 500              | InternalServerError |
        | deletes | 429 with no time | RateLimitError      |
