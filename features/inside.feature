@NFR2
Feature: The inside stays inside
  No answer shows a stranger, or a client, what stands behind the gateway: where Azure is, what an answer costs, which
  software answers and where it stumbled. And nobody gets behind it.

  Rule: No answer shows the inside, whatever Azure does

    # But for the error of a chat completion that breaks off after its first piece, which holds file names: declared in
    # docs/deviations.md, and pinned in streams.feature.

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
        | breaks its streams off            |
        | answers with half of its JSON     |
        | hangs up                          |

  Rule: No answer shows the inside, whatever the client does

    @local
    Scenario Outline: A client sends <mistake>: the answer
      When a client wrongly sends <mistake>
      Then no answer shows what stands behind the gateway

      Examples:
        | mistake                         |
        | half of its JSON                |
        | a prompt where a list belongs   |
        | metadata that is a text         |
        | a field that is the operator's  |
        | the name of no model            |
        | a wrong key                     |
        | a prompt as a path              |
        | a prompt as the id of an answer |

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
