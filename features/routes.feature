@FR1 @NFR2
Feature: The served surface
  LiteLLM has more than a thousand routes: for administrators, for other providers, for its own pages. The gateway
  serves a handful of them, and there is no way around it to the others.

  Rule: Of LiteLLM's routes only those that are served answer

    @local
    Scenario Outline: Every route of LiteLLM with <credential>
      Given every route of LiteLLM
      When somebody tries each of them with <credential>
      Then the edge itself refuses every one with status 401
      And Azure received nothing of it

      Examples:
        | credential  |
        | no key      |
        | a wrong key |

    @local
    Scenario: Every other route of LiteLLM with a valid key
      Given every route of LiteLLM
      When a client tries each of them that is not served
      Then the edge itself refuses every one with status 404
      And Azure received nothing of it

  Rule: A path leads where it says, however it is written

    @local @deployed
    Scenario Outline: <route> is not served
      When a client with a valid key sends <route>
      Then the gateway does not serve it
      And Azure received nothing of it

      Examples:
        | route                                      |
        | GET /                                      |
        | GET /model/info                            |
        | GET /health                                |
        | GET /metrics                               |
        | GET /openapi.json                          |
        | POST /key/generate                         |
        | POST /v1/audio/speech                      |
        | POST /azure/openai/deployments             |
        | POST /v1/responsesX                        |
        | POST /v1/responses/                        |
        | POST /V1/Responses                         |
        | POST /v1/responses;a=b                     |
        | POST /v1/responses/compact                 |
        | GET /v1/responses/resp_1/cancel            |
        | GET /v1/models/../model/info               |
        | GET /v1/responses/../../model/info         |
        | GET /v1/responses/%2e%2e/model/info        |
        | GET /v1/responses%2f..%2fmodel%2finfo      |
        | GET /v1/responses/..%252f..%252fmodel/info |
        | GET /v1/responses/..;/..;/model/info       |
        | GET /v1/responses\..\..\model\info         |
        | GET //model/info                           |
        | GET /./model/info                          |
        | GET /%6dodel/info                          |

    @local
    Scenario Outline: The address <address> in the request's first line
      When a client with a valid key sends GET <address>
      Then the gateway does not serve it
      And Azure received nothing of it

      Examples:
        | address                      |
        | http://localhost/model/info  |
        | https://localhost/model/info |
        | localhost/model/info         |
        | file:///model/info           |
        | model/info                   |
        | /v1/models#/../model/info    |
        | /v1/models%00/../model/info  |

  Rule: A served path takes only its own methods

    @local @deployed
    Scenario Outline: <request> is not served
      When a client with a valid key sends <request>
      Then the gateway does not serve it
      And Azure received nothing of it

      Examples:
        | request                     |
        | GET /v1/embeddings          |
        | GET /v1/chat/completions    |
        | PUT /v1/responses           |
        | PATCH /v1/responses         |
        | DELETE /v1/responses        |
        | OPTIONS /v1/responses       |
        | TRACE /v1/responses         |
        | BREW /v1/responses          |
        | post /v1/responses          |
        | POST /v1/models             |
        | POST /v1/responses/resp_1   |
        | CONNECT localhost:4000      |

  Rule: No header leads elsewhere

    @local
    Scenario Outline: The name of another host
      When a client asks for the path <path> with Host: localhost:4000
      Then <end>

      Examples:
        | path        | end                                            |
        | /model/info | the gateway does not serve it                  |
        | /v1/models  | it is told which models there are, and no more |

    @local @deployed
    Scenario Outline: An unserved path with <header>
      When a client asks for the path /model/info with <header>
      Then the gateway does not serve it

      Examples:
        | header                               |
        | X-HTTP-Method-Override: POST         |
        | X-Original-URL: /v1/models           |
        | X-Rewrite-URL: /v1/models            |
        | X-Forwarded-Host: localhost:4000     |
        | X-Forwarded-Prefix: /v1/models       |
        | X-Envoy-Original-Path: /v1/models    |

    @local @deployed
    Scenario Outline: A served path with <header>
      When a client asks for the path /v1/models with <header>
      Then it is told which models there are, and no more

      Examples:
        | header                                |
        | X-HTTP-Method-Override: DELETE        |
        | X-Original-URL: /model/info           |
        | X-Rewrite-URL: /model/info            |
        | X-Forwarded-Host: localhost:4000      |
        | X-Forwarded-Prefix: /model/info       |
        | X-Envoy-Original-Path: /model/info    |

    @local @deployed @FR3
    Scenario Outline: No key, but <header>
      When a stranger asks for the path /v1/models with <header>
      Then the request is refused with status 401 in OpenAI's error shape

      Examples:
        | header                                |
        | X-Forwarded-For: 127.0.0.1            |
        | X-Real-IP: 127.0.0.1                  |
        | X-Envoy-Internal: true                |
        | X-Envoy-Original-Path: /healthz       |
        | X-Gateway-Client: acceptance          |

  Rule: What can be read in two ways is not served

    @local
    Scenario Outline: A request hidden by <trick>
      When a client hides a request by <trick>
      Then nothing of it is served, and the next request gets its own answer
      And Azure received nothing of it

      Examples:
        | trick                                      |
        | a length and chunks                        |
        | chunks named twice                         |
        | chunks among other codings                 |
        | a coding that is almost chunks             |
        | chunks after a vertical tab                |
        | chunks named on a folded line              |
        | a length and chunks on a folded line       |
        | chunks within a folded header              |
        | chunks behind a bare carriage return       |
        | chunks behind a bare line feed             |
        | a space before the colon                   |
        | a header before the first one              |
        | two lengths                                |
        | the same length twice                      |
        | a list of lengths                          |
        | a length with a sign                       |
        | a length in hexadecimal                    |
        | a negative length                          |
        | a length beyond all numbers                |
        | a chunk without a size                     |
        | a chunk of a negative size                 |
        | a chunk beyond all numbers                 |
        | a chunk that is longer than it says        |
        | a chunk with no end of its line            |
        | a chunk with a line feed in its extension  |
        | chunks that end in bare line feeds         |
        | headers after the last chunk               |
        | lines that end in bare line feeds          |
        | a body for an unserved path                |
        | a body for a path that takes none          |
        | a body that waits to be asked for          |
        | a zero byte in a header                    |
        | HTTP/1.0                                   |
        | HTTP/1.0 and chunks                        |
        | HTTP/0.9                                   |
        | HTTP/2                                     |
        | an upgrade to HTTP/2                       |
        | a version that is none                     |
        | no host                                    |
        | a host that is none                        |

    @local @deployed @FR3
    Scenario Outline: Two keys, <order>
      When somebody sends two keys, <order>
      Then the request is refused with status 401 in OpenAI's error shape
      And Azure received nothing of it

      Examples:
        | order                                                               |
        | the valid one first                                                 |
        | the valid one last                                                  |
        | the valid one in Authorization, another in the gateway's own header |
        | both in the gateway's own header, the valid one last                |

  Rule: A request has its limits

    @local
    Scenario Outline: A request with <much>
      When a client's request comes with <much>
      Then the request is refused with status 431 in OpenAI's error shape
      And Azure received nothing of it

      Examples:
        | much                |
        | a header of 100 KiB |
        | 200 headers         |
        | a path of 100 KiB   |

  Rule: What is read in one way only, though it is wrong, is known

    # Declared in docs/deviations.md; when one of these fails, the deviation is gone.

    @local
    Scenario Outline: A request that is served with <oddity>
      When a client's request comes with <oddity>
      Then the request is served
      And Azure received 1 request

      Examples:
        | oddity                                          |
        | the name of a second host                       |
        | a note that its body is packed, which it is not |
