@FR1 @FR2 @AC2 @G2
Feature: Embeddings for codebase indexing
  An assistant indexes a codebase: it cuts the files into segments, asks for a vector of each, and later finds
  the segments that lie nearest to a question.

  Rule: Every client gets vectors in the form that it asked for

    @local @deployed @costs-tokens
    Scenario Outline: A vector as <form>
      When the indexer asks for one vector as <form>
      Then it gets one vector of the configured dimensions and unit length, as <returned>

      Examples:
        | form               | returned |
        | floats             | floats   |
        | base64             | base64   |
        | no particular form | floats   |

    @local @FR4
    Scenario: Azure sees what it was meant to see
      When the indexer asks for one vector as base64
      Then Azure received 1 request, all of them to the embeddings deployment
      And Azure received the configured api-version, deployment and key

  Rule: An index can be made as Roo makes it

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
        | question                                                     | file                         |
        | a port is taken because somebody listens on it already       | aigateway/launching/ports.py |
        | name of the key vault and the storage account of Azure       | aigateway/names.py           |
        | wait until a condition holds or a deadline has passed        | aigateway/waiting.py         |
