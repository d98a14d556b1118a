@NFR3
Feature: Observability
  From the access log alone it can be told how many requests there were, how long they took, which were refused, by
  whom, and what failed behind the gateway. What its fields mean: docs/access-log.md.

  Background:
    Given the access log of a day on which requests ended in every way

  Rule: Each request leaves one line

    @local
    Scenario: One line for each request
      Then each request has left one line, and nothing else stands in the log
      And each line has the fields that its page in docs/ explains

    @local
    Scenario: The line says how its request ended, and who is to blame
      Then the lines say how each of them ended
        | request                                  | route            | status | failed  | attempts | stream      |
        | an answer                                | responses        | 200    |         | 1        |             |
        | a stream                                 | responses        | 200    |         | 1        | completed   |
        | a stream that begins late                | responses        | 200    |         | 1        | completed   |
        | a stream that pauses                     | responses        | 200    |         | 1        | completed   |
        | a stream of chat completions             | chat-completions | 200    |         | 1        |             |
        | vectors                                  | embeddings       | 200    |         | 1        |             |
        | an answer at the second attempt          | responses        | 200    |         | 2        |             |
        | a stream that was read to its last event | responses        | 200    |         | 1        | completed   |
        | Azure throttles                          | responses        | 429    | azure   | 3        |             |
        | Azure fails                              | responses        | 500    | azure   | 3        |             |
        | Azure refuses                            | responses        | 400    | azure   | 1        |             |
        | Azure breaks a stream off                | responses        | 200    | azure   | 1        | failed      |
        | Azure breaks a chat's stream off         | chat-completions | 200    | azure   | 1        | failed      |
        | Azure says no end of a stream            | responses        | 200    | azure   | 1        | failed      |
        | Azure hangs up                           | responses        | 500    | azure   | 3        |             |
        | Azure's answer cannot be read            | responses        | 500    | azure   | 3        |             |
        | LiteLLM knows no such model              | responses        | 400    | litellm | 1        |             |
        | a wrong key                              | responses        | 401    | edge    | 0        |             |
        | no such route                            | unserved         | 404    | edge    | 0        |             |
        | more than a client may ask               | embeddings       | 429    | edge    | 0        |             |
        | a body that is too large                 | responses        | 413    | edge    | 0        |             |
        | a WebSocket                              | websocket        | 426    | edge    | 0        |             |
        | the client leaves a stream               | responses        | 200    | client  | 1        | in_progress |
        | the client does not wait                 | responses        | 0      | client  | 1        |             |
        | the client leaves half a request         |                  | 0      | client  | 0        |             |
        | no HTTP                                  |                  | 400    | edge    | 0        |             |
        | headers that are too large               |                  | 431    | edge    | 0        |             |

    @local
    Scenario: The line names the client
      Then the lines name the client of each key, and nobody without one

    @local
    Scenario: The line and the answer have the same request id
      Then each client got the request id of its line, and none had chosen it

    @local
    Scenario: LiteLLM adds no lines
      Then LiteLLM has written no line about a request

  Rule: What happened can be counted

    @local
    Scenario: Requests, refusals and failures are counted
      Then the log counts as many requests of each status as the clients saw, and as many of Azure's refusals
      And the log counts every failure of Azure's, also those that another attempt made good

    @local
    Scenario: Sizes are true
      Then the sizes are those of the bodies on the wire

    @local
    Scenario: Times are true
      Then no time is longer than its client measured, and none shorter than Azure took
      And a stream's first byte was counted when it came, not at its end

  Rule: What was said is not written down

    @local @NFR2
    Scenario: No path, query, header or body of a client's
      Then nothing that a client sent stands in it
