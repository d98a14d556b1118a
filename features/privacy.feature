@NFR2
Feature: Privacy
  What people send stays theirs: no prompt, no source code, no output of a tool and no key stands in a log of the
  gateway, whatever becomes of the request. Logs are kept for months, and many may read them.

  Rule: No log tells what was sent, whatever Azure does

    @local
    Scenario Outline: Azure <does>
      When a prompt, source code and the output of a tool are sent in every way, and Azure <does>
      Then no log holds any of it, or a key

      Examples:
        | does                              |
        | answers                           |
        | refuses, and repeats what it read |
        | throttles, and repeats it         |
        | fails, and repeats it             |
        | gives up waiting, and repeats it  |
        | breaks its streams off            |
        | answers with half of its JSON     |
        | hangs up                          |

    @local
    Scenario: Azure does not answer in time
      Given a gateway that waits four seconds for Azure
      When a prompt, source code and the output of a tool are sent in every way, and Azure takes ten seconds
      Then no log holds any of it, or a key

  Rule: No log tells what was sent, whatever the client does

    @local
    Scenario Outline: A client sends <mistake>
      When a client wrongly sends <mistake>
      Then it is told <status>
      And no log holds any of it, or a key

      Examples:
        | mistake                             | status |
        | half of its JSON                    | 400    |
        | a prompt where a list belongs       | 400    |
        | metadata that is a text             | 400    |
        | a field that is the operator's      | 400    |
        | the name of no model                | 400    |
        | a wrong key                         | 401    |
        | a valid key in another header       | 401    |
        | a key and a prompt in the query     | 200    |
        | a prompt as a path                  | 404    |
        | a prompt as the id of an answer     | 400    |

    @local
    Scenario: A client leaves in the middle of its stream
      When a client leaves in the middle of its stream
      Then no log holds any of it, or a key

  Rule: What LiteLLM logs all the same is known

    # Declared in docs/deviations.md; when this fails, the deviation is gone.

    @local
    Scenario: An error that LiteLLM did not foresee leaves a traceback in its log
      When a client wrongly sends metadata that is a text
      Then LiteLLM's log says where it stumbled
      And no log holds any of it, or a key
