@FR1 @FR2 @AC1 @G2
Feature: Coding through the Responses API
  A coding assistant works with Azure's Codex model through the gateway. Azure serves this model by its
  Responses API only; an assistant that speaks chat completions is served all the same.

  Rule: The assistant gets what the model said

    @local @deployed @costs-tokens
    Scenario: A plain answer
      When the assistant asks the model to repeat a phrase
      Then the answer is that phrase
      And the answer tells how many tokens it used

    @local
    Scenario: The same question is asked of Azure each time
      When the assistant asks the same question twice
      Then the assistant gets its answer
      And Azure received 2 requests

    @local @deployed @costs-tokens
    Scenario: A streamed answer
      When the assistant asks for a count from 1 to 30 as a stream
      Then the stream runs in order from created to completed
      And its pieces put together are the final answer
      And the answer counts from 1 to 30

    @local
    Scenario: A streamed answer arrives while it is being written
      Given Azure will pause for 3 seconds in the middle of the next stream
      When the assistant asks for a count from 1 to 30 as a stream
      Then the first piece arrived at least 1 second before the end
      And its pieces put together are the final answer

    @local @deployed @costs-tokens
    Scenario: The model calls a tool
      When the assistant offers a weather tool and asks for the weather in Pretoria as a stream
      Then the model calls the weather tool with arguments that fit its schema
      And the streamed pieces of the arguments put together are the call's arguments

    @local @deployed @costs-tokens
    Scenario: The model uses a tool's result
      Given the model has called the weather tool
      When the assistant sends back that it is 31 degrees
      Then the answer mentions 31

    @local @deployed @costs-tokens
    Scenario: Reasoning is carried in encrypted form when nothing is stored
      Given a first turn that stored nothing and returned its reasoning encrypted
      When the assistant continues the conversation with that reasoning
      Then the answer is the phrase of the second turn

    @local @deployed @costs-tokens
    Scenario: A conversation goes on by the id of its last response
      Given the assistant has told the model a word to remember
      When the assistant asks for the word and names only the previous response
      Then the answer is that word

    @local @deployed @costs-tokens
    Scenario: A stored response can be read and deleted
      Given the model has given a stored answer
      When the assistant reads the stored response
      Then it holds the same answer
      And after it is deleted it cannot be read any more

    @local @deployed @costs-tokens
    Scenario: What a stored response was made from can be read
      Given the model has given a stored answer
      When the assistant reads what the response was made from
      Then it is what the assistant had said

    @local @deployed @costs-tokens
    Scenario: An answer in the background
      When the assistant asks for an answer in the background
      Then it is told that the answer is to come
      And the answer is there when the assistant comes back for it

    @local
    Scenario: An answer in the background is cancelled
      Given the assistant has asked for an answer in the background
      When the assistant cancels it
      Then it is told that the answer will not come

    # Declared in docs/deviations.md; when it fails, the deviation is gone.
    @local
    Scenario: What is told of a cancellation has an id of Azure's
      Given the assistant has asked for an answer in the background
      When the assistant cancels it
      Then what it is told has an id that the gateway does not know

  Rule: Azure sees only its Responses API

    @local @FR4
    Scenario Outline: An assistant that speaks <api>
      When the assistant asks over <api>
      Then the assistant gets its answer
      And Azure received 1 request, all of them to its Responses API
      And Azure received the configured api-version, deployment and key

      Examples:
        | api                       |
        | responses                 |
        | streamed responses        |
        | chat completions          |
        | streamed chat completions |

  Rule: A model that is not served is refused clearly

    @local @deployed
    Scenario: An unknown model
      When the assistant asks a model named "gpt-unheard-of"
      Then the request is refused with a 4xx in OpenAI's error shape
      And the refusal names "gpt-unheard-of"
      And Azure received nothing of it
