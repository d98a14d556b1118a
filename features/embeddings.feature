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
