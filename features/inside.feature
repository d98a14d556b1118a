@NFR2
Feature: The inside stays inside
  No answer shows a stranger, or a client, what stands behind the gateway: where Azure is, what an answer costs, which
  software answers and where it stumbled. And nobody gets behind it.

  Rule: No answer shows the inside, whatever Azure does

    @local
    Scenario Outline: Azure <does>: the answers
      When a prompt, source code and the output of a tool are sent in every way, and Azure <does>
      Then no answer shows what stands behind the gateway

      Examples:
        | does                              |
        | answers                           |
        | refuses, and repeats what it read |
        | throttles, and repeats it         |
        | fails, and repeats it             |
        | gives up waiting, and repeats it  |
        | answers with half of its JSON     |
        | hangs up                          |

    # Declared in docs/deviations.md; when this fails, the deviation is gone.

    @local
    Scenario: Azure breaks its streams off: the answers
      When a prompt, source code and the output of a tool are sent in every way, and Azure breaks its streams off
      Then no answer shows what stands behind the gateway, but for the file names in one error of a chat completion

    @local
    Scenario: Azure does not answer in time: the answers
      Given a gateway that waits four seconds for Azure
      When a prompt, source code and the output of a tool are sent in every way, and Azure takes ten seconds
      Then each of them is told 504
      And no answer shows what stands behind the gateway

  Rule: No answer shows the inside, whatever the client does

    @local @deployed
    Scenario Outline: A client sends <mistake>: the answer
      When a client wrongly sends <mistake>
      Then it is told <status>
      And no answer shows what stands behind the gateway

      Examples:
        | mistake                         | status |
        | half of its JSON                | 400    |
        | a prompt where a list belongs   | 400    |
        | metadata that is a text         | 400    |
        | a field that is the operator's  | 400    |
        | the name of no model            | 400    |
        | a prompt as the id of an answer | 400    |
        | a wrong key                     | 401    |
        | a prompt as a path              | 404    |
        | the wish for a WebSocket        | 426    |

    @local
    Scenario Outline: A client sends more than it may: the answers
      Given a gateway that takes 1 requests of a client at once, and 1 more each second
      When a client wrongly sends <much>
      Then some of them are told <status>
      And no answer shows what stands behind the gateway

      Examples:
        | much                    | status |
        | a text of 3 MB to embed | 413    |
        | 3 requests at once      | 429    |
        | 200 headers             | 431    |

  Rule: LiteLLM opens to nobody but the edge

    @local
    Scenario Outline: The edge itself comes with <key>
      Given an edge that comes to LiteLLM with <key>
      When the assistant asks for an answer
      Then it is refused
      And Azure received nothing of it

      Examples:
        | key         |
        | another key |
        | no key      |
