@NFR1
Feature: Streams
  An answer of a coding model takes minutes. It arrives while it is being written, it outlives silence, and when it
  breaks off, no client takes what has come for the whole.

  Rule: A stream that breaks off is never taken for a whole answer

    @local
    Scenario Outline: Azure's streams always <trouble>
      Given Azure will always <trouble>
      When assistants ask for both kinds of streams at once
      Then each is told clearly that it did not get its answer
      And none took longer than the settings allow
      And Azure received none more often than the settings allow

      Examples:
        | trouble                                        |
        | hang up before the first piece                 |
        | hang up after the first piece                  |
        | stop after the first piece as if that were all |
        | say before the first piece that it failed      |
        | say after the first piece that it failed       |
        | say after the first piece that it is throttled |
        | send a last event that cannot be read          |
        | answer with nothing                            |
        | answer with a web page                         |

  Rule: A piece is handed on as soon as it is there

    @local
    Scenario: A streamed chat completion arrives while it is being written
      Given Azure will pause for 2 seconds in the middle of the next stream
      When the assistant asks for a count from 1 to 30 as a streamed chat completion
      Then its first piece arrived at least 1 second before its end
      And it counts from 1 to 30

    @local @slow
    Scenario: Five minutes of silence
      Given assistants that wait for 6 minutes
      And Azure will fall silent for 300 seconds in the middle of each stream
      When assistants ask for both kinds of streams at once
      Then each gets its answer

  Rule: Who leaves is not worked for any more

    @local @NFR4
    Scenario Outline: An assistant leaves before the first byte of <operation>
      When an assistant asks for <operation> and leaves before its first byte
      Then Azure soon stops working for it

      Examples:
        | operation                  |
        | an answer                  |
        | a streamed answer          |
        | a chat completion          |
        | a streamed chat completion |
        | embeddings                 |

    @local @NFR4
    Scenario Outline: An assistant leaves in the middle of <operation>
      When an assistant asks for <operation> and leaves after its first piece
      Then Azure soon stops working for it

      Examples:
        | operation                  |
        | a streamed answer          |
        | a streamed chat completion |

    @local @FR5
    Scenario: The places of streams that ended early are free again
      Given a gateway with 2 places and a queue of 2
      And 5 assistants that have left their streams, and 5 whose streams Azure cut
      When 2 requests for an answer come at once, and Azure takes its time
      Then all of them are served
      And Azure worked on 2 of them at once, and never on more

  Rule: What LiteLLM does otherwise is known

    # Declared in docs/deviations.md; when one of these fails, the deviation is gone.

    @local
    Scenario: A piece of a stream that cannot be read is left out
      Given Azure will send a piece of the next stream that cannot be read
      When the assistant asks for a count from 1 to 30 as a streamed chat completion
      Then it lacks a number from 1 to 30, though it says that it is whole

    @local @NFR2
    Scenario: The error of a broken chat completion shows LiteLLM's inside
      Given Azure will always hang up after the first piece
      When assistants ask for both kinds of streams at once
      Then the error of the streamed chat completion holds a traceback, and that of the streamed answer does not

    @local
    Scenario: The refusal of a failed chat completion has no type
      Given Azure will always say before the first piece that it failed
      When assistants ask for both kinds of streams at once
      Then the streamed chat completion is told 500, with a message and no type
