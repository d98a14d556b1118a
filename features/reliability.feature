@NFR1
Feature: Reliability
  Azure throttles, fails, hangs up, hangs, and goes away. An assistant then gets its answer or a clear error, soon:
  never silence, half an answer that looks whole, or nothing that looks like an answer.

  Rule: What Azure does once is absorbed

    @local @FR5
    Scenario Outline: Azure will once <trouble>
      Given Azure will once <trouble>
      When assistants ask for everything at once
      Then each gets its answer
      And Azure received 2 requests for each

      Examples:
        | trouble  |
        | throttle |
        | fail     |
        | hang up  |

    @local @FR5
    Scenario: An answer that cannot be read, once
      When assistants ask at once for everything that is not streamed, and Azure will once
        | hang up in the middle of an answer |
        | answer with nothing                |
        | answer with a web page             |
        | answer with half of its JSON       |
      Then each gets its answer
      And Azure received 2 requests for each

    @local
    Scenario: Azure takes its time
      Given Azure will once take a second
      When assistants ask for everything at once
      Then each gets its answer
      And Azure received 1 request for each

  Rule: What Azure does each time is told, after a few attempts

    @local @FR5
    Scenario Outline: Azure will always <trouble>
      Given Azure will always <trouble>
      When assistants ask for everything at once
      Then each is told <status> in OpenAI's error shape
      And none took longer than the settings allow
      And Azure received 3 requests for each

      Examples:
        | trouble  | status |
        | throttle | 429    |
        | fail     | 500    |
        | hang up  | 500    |

    @local @FR5
    Scenario: Answers that can never be read
      When assistants ask at once for everything that is not streamed, and Azure will always
        | hang up in the middle of an answer |
        | answer with nothing                |
        | answer with a web page             |
        | answer with half of its JSON       |
      Then each is told 500 in OpenAI's error shape
      And none took longer than the settings allow
      And Azure received 3 requests for each

  Rule: No request is lost among many

    @local @FR5
    Scenario: Sixty requests, and trouble with one in ten
      Given a gateway with 50 places and a queue of 100
      When 60 requests come, 20 at a time, and Azure makes trouble for one in ten
      Then each got its own answer, or a clear error if Azure made trouble
      And Azure received each of them, and those without trouble just once
      And Azure received none more often than the settings allow

    @local @FR5 @slow
    Scenario: Five hundred requests, and trouble with one in ten
      Given a gateway with 50 places and a queue of 100
      When 500 requests come, 20 at a time, and Azure makes trouble for one in ten
      Then each got its own answer, or a clear error if Azure made trouble
      And Azure received each of them, and those without trouble just once
      And Azure received none more often than the settings allow

  Rule: A silent Azure is waited for, but not for ever

    @local @slow
    Scenario: Embeddings while Azure says nothing
      Given assistants that wait for 2 minutes
      And Azure will always say nothing at all
      When assistants ask for embeddings at once
      Then each is told 408 in OpenAI's error shape
      And none waited longer than the gateway's patience

    # From here on: a gateway whose time-outs are a few seconds, which is otherwise the same.

    @local @another-gateway
    Scenario: Azure says nothing at all
      Given an Azure that this scenario may stop
      And in front of it a gateway with little patience
      And Azure will always say nothing at all
      When assistants ask for everything at once
      Then each is told 408 in OpenAI's error shape
      And none is shown what stands behind the gateway
      And none waited longer than the gateway's patience
      And Azure received 1 request for each

    @local @another-gateway
    Scenario: A pause in the middle of a stream
      Given an Azure that this scenario may stop
      And in front of it a gateway with little patience
      And Azure will fall silent for 1 second in the middle of each stream
      When assistants ask for both kinds of streams at once
      Then each gets its answer

    @local @another-gateway
    Scenario: Silence without an end in the middle of a stream
      Given an Azure that this scenario may stop
      And in front of it a gateway with little patience
      And Azure will always fall silent for good after the first piece
      When assistants ask for both kinds of streams at once
      Then each is told clearly that it did not get its answer
      And none waited longer than the gateway's patience

  Rule: The gateway recovers by itself

    @local @another-gateway
    Scenario: Azure is down for some seconds
      Given an Azure that this scenario may stop
      And in front of it a gateway with little patience
      When Azure refuses all connections for 2 seconds, and assistants go on asking
      Then whoever asked meanwhile was told so, or served when Azure was back
      And whoever asked after it was served

    @local @slow @another-gateway
    Scenario: Azure is down for half a minute
      Given an Azure that this scenario may stop
      And in front of it a gateway with little patience
      When Azure refuses all connections for 30 seconds, and assistants go on asking
      Then whoever asked meanwhile was told so, or served when Azure was back
      And whoever asked after it was served

  Rule: A gateway that is stopped finishes what it has begun

    @local @another-gateway
    Scenario: Both parts are stopped in the middle of a stream
      Given an Azure that this scenario may stop
      And in front of it a gateway with little patience
      When both its parts are told to stop in the middle of a streamed answer, which takes 2 seconds more
      Then the assistant gets its whole answer
      And nobody else was let in meanwhile
      And the edge has ended 2 seconds after it was told, or soon after that

    @local
    Scenario: The edge is stopped in the middle of a streamed chat completion
      Given a gateway that has been idle
      When the edge is told to stop in the middle of a streamed chat completion, which takes 3 seconds more
      Then the assistant gets its whole answer
      And nobody else was let in meanwhile
      And the edge has ended 3 seconds after it was told, or soon after that

    @local
    Scenario: A stream that outlasts the grace period
      Given a gateway with a grace period of 3 seconds
      When the edge is told to stop in the middle of a streamed answer, which takes 20 seconds more
      Then the assistant is told that its answer broke off
      And the edge has ended 3 seconds after it was told, or soon after that
