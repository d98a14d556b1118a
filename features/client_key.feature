@FR3
Feature: Client keys
  Only who holds a key of this environment gets in, and only to what the gateway is there for.

  Rule: Without a valid key nothing is served

    @local @deployed
    Scenario Outline: <credential> is refused
      When somebody asks with <credential>
      Then the request is refused with status 401 in OpenAI's error shape
      And Azure received nothing of it

      Examples:
        | credential                   |
        | no key                       |
        | an empty key                 |
        | a wrong key                  |
        | a valid key in another header |

    @local
    Scenario Outline: <credential> is refused, though the gateway knows it
      When somebody asks with <credential>
      Then the request is refused with status 401 in OpenAI's error shape
      And Azure received nothing of it

      Examples:
        | credential                |
        | LiteLLM's master key      |
        | the Azure key             |
        | a key of a retired slot   |

    @local @deployed
    Scenario Outline: Embeddings are refused with <credential>
      When somebody asks for embeddings with <credential>
      Then the request is refused with status 401 in OpenAI's error shape

      Examples:
        | credential  |
        | no key      |
        | a wrong key |

  Rule: A valid key is accepted in either header

    @local @deployed @costs-tokens
    Scenario Outline: The key as <header>
      When somebody asks with a valid key as <header>
      Then the request is served

      Examples:
        | header                    |
        | Authorization: Bearer KEY |
        | x-gateway-key: KEY        |

    @local @deployed @costs-tokens
    Scenario: The key beside a token for what stands before the gateway
      When somebody asks with a valid key in the gateway's own header and a token in Authorization
      Then the request is served

  Rule: Each client has keys of its own

    @local @NFR3
    Scenario: Every client's key works and the access log names the client
      When each client asks with each of its valid keys
      Then every request is served
      And the access log names the client of each request

    @local @NFR3
    Scenario: A client cannot pass for another
      When a client asks and claims to be another
      Then the access log names the client whose key it was

    @local @NFR3
    Scenario: Nobody without a key is named in the access log
      When a stranger without a key claims to be a client
      Then every request is refused
      And the access log names no client

    @local
    Scenario: A key is rotated with no gap
      Given a client with the keys "a"
      When its keys are changed to "a and b", and then to "b"
      Then key "a" works before and during the change, and is refused after it
      And key "b" is refused before the change, and works during and after it

  Rule: Who need not have a key, and who is told something else

    @local @deployed
    Scenario: A WebSocket is refused so that Codex falls back at once
      When a client with a valid key asks for a WebSocket
      Then the request is refused with status 426 in OpenAI's error shape

    @local @deployed @NFR1
    Scenario Outline: A WebSocket at <path>
      When a client with a valid key asks for a WebSocket at <path>
      Then the request is refused with status 426 in OpenAI's error shape

      Examples:
        | path                 |
        | /v1/chat/completions |
        | /v1/embeddings       |
        | /v1/models           |
        | /v1/responses/resp_1 |
        | /v1/realtime         |
        | /healthz             |

    @local @deployed @NFR1
    Scenario Outline: A WebSocket at <path> for a stranger
      When a stranger asks for a WebSocket at <path>
      Then the request is refused with status 401 in OpenAI's error shape

      Examples:
        | path          |
        | /v1/responses |
        | /healthz      |

    @local @deployed @NFR1
    Scenario: The health path needs no key
      When a probe asks whether the gateway is healthy
      Then the request is served

    @local @NFR1 @NFR4
    Scenario: The health path calls no model
      When a probe asks whether the gateway is healthy
      Then the request is served
      And no model was called to find out
