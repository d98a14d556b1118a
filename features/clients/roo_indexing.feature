@roo-indexing @AC2 @FR1 @FR2
Feature: Roo's codebase indexing
  It asks for vectors as base64, with nothing in the body but input, model and encoding_format: through OpenAI's package
  for Node or, where its URL ends in /embeddings, by itself, and then with its key in two headers.

  Rule: Roo reaches the gateway

    @local @deployed @costs-tokens
    Scenario Outline: Roo tries its settings, its URL ending in <end>
      When Roo tries its settings for indexing, with a URL that ends in <end>
      Then it gets one vector of the configured dimensions and unit length, as base64

      Examples:
        | end         |
        | /v1         |
        | /embeddings |

    @local @deployed @FR3
    Scenario: Roo is told that its key for indexing is wrong
      When Roo tries its settings for indexing with a wrong key
      Then the request is refused with status 401 in OpenAI's error shape
      And the refusal names "API key"

    @local
    Scenario: Azure receives just what Roo's indexing sent
      When the indexer sends a batch of 60 segments as Roo does
      Then Azure received the batch as it was sent, and the Azure key instead of the client's

    @local @FR5 @NFR1
    Scenario: Roo's indexing gets over a 429 that outlasts the gateway's retries
      Given Azure will answer as many requests as the gateway tries with 429 with retry-after-ms
      When the indexer sends a batch of 60 segments, and tries again as OpenAI's package does
      Then Azure received one request more than the gateway tries
      And it gets 60 vectors, in the order of the segments

  Rule: An index is made and searched

    @local @deployed @costs-tokens
    Scenario: A batch of 60 segments
      When the indexer sends a batch of 60 segments as Roo does
      Then it gets 60 vectors, in the order of the segments

    @local
    Scenario: Ten batches at once
      When the indexer sends 10 batches of 60 segments at once as Roo does
      Then it gets 60 vectors for each batch, in the order of the segments
      And Azure was asked for vectors of the configured dimensions

    @local @deployed @costs-tokens
    Scenario Outline: The index of a real folder finds the right file
      Given the index of this project's own source code
      When the developer searches it for "<question>"
      Then the best match is in <file>

      Examples:
        | question                                                              | file                         |
        | a port is taken because somebody listens on it already                | aigateway/launching/ports.py |
        | the shortest and the longest name that each type of resource may have | aigateway/names.py           |
        | wait until a condition holds or a deadline has passed                 | aigateway/waiting.py         |
