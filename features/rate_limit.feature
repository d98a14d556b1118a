@FR5 @NFR4
Feature: Rate limit
  An indexing storm, or a client gone wild, costs neither Azure's quota nor other people's time.

  Rule: A flood is refused at once, and Azure never sees more than the limit

    @local
    Scenario Outline: A flood of <operation>
      Given a gateway that has been idle
      When one client sends 200 requests for <operation> at once
      Then every request is answered within 15 seconds
      And some are served and the others are told 429 in OpenAI's error shape
      And each refusal says when to come back
      And Azure received no more than a client's limit for <operation>

      Examples:
        | operation  |
        | an answer  |
        | embeddings |

    @local
    Scenario: A flood of embeddings leaves coding alone
      Given a gateway with low limits that has been idle
      When another client asks for an answer while one client floods it with embeddings
      Then the assistant gets its answer
      And it did not have to wait for the flood
      And the flood met the limit

    @local @NFR1
    Scenario: A gateway whose places are all taken is still healthy
      Given a gateway with low limits that has been idle
      When a probe asks whether it is healthy while one client floods it with answers
      Then the request is served
      And it did not have to wait for the flood
