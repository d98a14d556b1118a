@FR5 @NFR1
Feature: Retries
  Azure refuses and fails now and then. The gateway tries again when that can help, a few times and not for long,
  and otherwise tells the assistant at once what Azure said.

  Rule: A transient failure is absorbed

    @local
    Scenario Outline: <operation> after one <failure>
      Given Azure will answer the next request with <failure>
      When the assistant asks for <operation>
      Then the assistant gets its answer
      And Azure received 2 requests

      Examples:
        | operation         | failure                        |
        | an answer         | 429 with Retry-After           |
        | an answer         | 429 with retry-after-ms        |
        | an answer         | 429 with no time               |
        | an answer         | 500                            |
        | an answer         | 503                            |
        | a streamed answer | 429 with Retry-After           |
        | a streamed answer | 502                            |
        | a chat completion | 429 with no time               |
        | embeddings        | 429 with Retry-After           |
        | embeddings        | 429 with no time               |
        | embeddings        | 500                            |
        | embeddings        | 503                            |

    @local
    Scenario: The gateway waits as long as Azure asks
      Given Azure will answer the next request with 429 with Retry-After
      When the assistant asks for an answer
      Then the assistant gets its answer
      And Azure's requests lay at least as far apart as it had asked for

  Rule: Attempts and time are bounded

    @local
    Scenario Outline: <operation> while Azure keeps answering <failure>
      Given Azure will answer every request with <failure>
      When the assistant asks for <operation>
      Then the assistant is told <status> in OpenAI's error shape
      And the refusal says when to come back
      And Azure received as many requests as the settings allow
      And it took no longer than the settings allow

      Examples:
        | operation         | failure              | status |
        | an answer         | 429 with no time     | 429    |
        | an answer         | 500                  | 500    |
        | an answer         | 503                  | 503    |
        | a streamed answer | 429 with no time     | 429    |
        | embeddings        | 429 with retry-after-ms | 429 |
        | embeddings        | 503                  | 503    |

    @local
    Scenario: Azure's own waiting time reaches the assistant
      Given Azure will answer every request with 429 with Retry-After of 120 seconds
      When the assistant asks for an answer
      Then the assistant is told 429 in OpenAI's error shape
      And the refusal says to come back after 120 seconds
      And Azure received as many requests as the settings allow

    # LiteLLM is left out: on a busy machine its own work alone takes longer than the back-off.
    @local
    Scenario: The gateway waits between its attempts
      Given an edge that cannot reach LiteLLM
      When one client sends 20 requests for an answer at once
      Then all of them are told 503 in OpenAI's error shape
      And each was tried as often as the settings allow
      And on average it waited for half of the settings' back-off

  Rule: What another attempt cannot cure is not retried

    @local
    Scenario Outline: <operation> is told <status> at once
      Given Azure will answer every request with <status>
      When the assistant asks for <operation>
      Then the assistant is told <status> in OpenAI's error shape
      And Azure received 1 request

      Examples:
        | operation  | status |
        | an answer  | 400    |
        | an answer  | 401    |
        | an answer  | 403    |
        | an answer  | 404    |
        | embeddings | 400    |
        | embeddings | 401    |
        | embeddings | 403    |
        | embeddings | 404    |

  Rule: One failure does not shut out the requests after it

    @local
    Scenario Outline: The request after a <failure>
      Given an assistant was told <failure> by Azure
      When the assistant asks for an answer
      Then the assistant gets its answer
      And Azure received 1 request

      Examples:
        | failure          |
        | 401              |
        | 404              |
        | 429 with no time |
