@FR5 @NFR4
Feature: Rate limit
  An indexing storm, or a client gone wild, costs neither Azure's quota nor other people's time. A limit says how many
  requests may come, at once and each minute. A place is what a request holds while Azure works on it; whoever finds
  all places taken waits in the queue.

  Rule: A flood is refused at once, and Azure never sees more than the limit

    @local
    Scenario Outline: A flood of requests for <operation>
      Given a gateway that has been idle, whose limit for a client is below 200 at once
      When one client sends 200 requests for <operation> at once
      Then every request is answered within 30 seconds
      And some are served and the others are told 429 in OpenAI's error shape
      And each refusal was the edge's own, and came at once
      And each refusal says when to come back
      And at no time did Azure receive more than a client's limit for <operation>
      And Azure received each that was served, and none of the others

      Examples:
        | operation  |
        | an answer  |
        | embeddings |

    @local
    Scenario Outline: A flood of requests for <operation> from all clients together
      Given a gateway with low limits that has been idle
      When all clients together send 60 requests for <operation> at once
      Then some are served and the others are told 429 in OpenAI's error shape
      And at no time did Azure receive more than the limit of all clients for <operation>
      And Azure received each that was served, and none of the others

      Examples:
        | operation  |
        | an answer  |
        | embeddings |

  Rule: Who is refused can come back, and is then served

    @local @AC2
    Scenario: An indexing storm
      Given a gateway that takes 5 requests of a client at once, and 10 more each second
      When Roo indexes 20 batches of 60 segments, 10 at once, and tries again as it does
      Then every batch has its vectors in the end
      And the storm met the limit, and was never told anything but to come back
      And at no time did Azure receive more than a client's limit for embeddings

    @local
    Scenario: OpenAI's package understands when to come back
      Given a gateway that takes 1 requests of a client at once, and 1 more each second
      When 2 assistants ask at once with OpenAI's package, which tries again 1 time
      Then every assistant gets its answer
      And who was refused came back when the refusal had said, and not before

  Rule: Nobody is shut out by another's flood

    @local
    Scenario Outline: A client's flood of requests for <flood> leaves its <other> alone
      Given a gateway with low limits that has been idle
      And a client floods it with slow requests for <flood>
      When the assistant asks for <other>
      Then the assistant gets its answer
      And it did not have to wait for the flood

      Examples:
        | flood      | other      |
        | embeddings | an answer  |
        | an answer  | embeddings |

    @local
    Scenario Outline: A client's flood of requests for <operation> leaves room for another client's
      Given a gateway with low limits that has been idle
      And a client floods it with requests for <operation>
      When another client asks for <operation>
      Then the assistant gets its answer

      Examples:
        | operation  |
        | an answer  |
        | embeddings |

    @local
    Scenario: The flood of a client with a limit of its own leaves room for another client
      Given a gateway with low limits that has been idle, which fills up faster for its first client alone
      And a client floods it with requests for an answer
      When another client asks for an answer
      Then the assistant gets its answer

    @local
    Scenario: A client that holds all places makes another wait, and no more
      Given a gateway with 3 places and a queue of 6
      And a client that holds all places
      When another client asks for an answer
      Then the assistant gets its answer
      And it had to wait for a place

    @local @NFR1
    Scenario: A gateway whose places are all taken is still healthy
      Given a gateway with low limits that has been idle
      And a client floods it with slow requests for an answer
      When a probe asks whether the gateway is healthy
      Then the request is served
      And it did not have to wait for the flood

  Rule: Only so many requests are with Azure at once

    @local
    Scenario Outline: Many requests for <operation> at once
      Given a gateway with 3 places and a queue of 6
      When 6 requests for <operation> come at once, and Azure takes its time
      Then all of them are served
      And Azure worked on 3 of them at once, and never on more

      Examples:
        | operation         |
        | an answer         |
        | a streamed answer |
        | embeddings        |

    @local
    Scenario: The queue is full
      Given a gateway with 3 places and a queue of 6
      And requests that hold all places
      When one client sends 9 requests for an answer at once
      Then 6 of them wait for a place and are served
      And the others are told at once, in OpenAI's error shape, when to come back

    @local
    Scenario Outline: The places of requests that <ended> are free again
      Given a gateway with 3 places and a queue of 6
      And 10 requests for an answer that <ended>, one after the other
      When 3 requests for an answer come at once, and Azure takes its time
      Then all of them are served
      And Azure worked on 3 of them at once, and never on more

      Examples:
        | ended           |
        | were served     |
        | Azure refused   |
        | failed at Azure |
