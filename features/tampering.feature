@NFR2 @FR2
Feature: Tampering
  How Azure is called is the operator's to say: its address, key, deployment and api-version, the headers, the
  time-outs and retries. LiteLLM would take all of it from a client's request as well; here nobody else says it.

  Rule: A field that is not of OpenAI's API and that LiteLLM would obey is refused

    @local @deployed
    Scenario Outline: <operation> with <field>
      When a client asks for <operation> and adds <field>
      Then the request is refused with status 400 in OpenAI's error shape
      And the refusal says that a field is not a client's to send
      And Azure received nothing of it

      Examples:
        | field                  | operation         |
        | api_key                | an answer         |
        | api_key                | a chat completion |
        | api_key                | embeddings        |
        | api_base               | an answer         |
        | api_version            | an answer         |
        | api_version            | embeddings        |
        | deployment_id          | a chat completion |
        | custom_llm_provider    | embeddings        |
        | extra_headers          | an answer         |
        | headers                | embeddings        |
        | provider_specific_header | a chat completion |
        | extra_body             | an answer         |
        | timeout                | an answer         |
        | num_retries            | embeddings        |
        | fallbacks              | a chat completion |
        | router_settings_override | a chat completion |
        | litellm_system_prompt  | a chat completion |
        | litellm_metadata       | an answer         |
        | mock_timeout           | an answer         |
        | no-log                 | an answer         |
        | drop_params            | a chat completion |
        | use_litellm_proxy      | an answer         |

    @local @deployed
    Scenario Outline: A field in disguise: <disguise>
      When a client sends another api_key <disguise>
      Then the request is refused with status 400 in OpenAI's error shape
      And Azure received nothing of it

      Examples:
        | disguise                                        |
        | under a name with an escape in it               |
        | twice, the second time empty                    |
        | behind a hundred levels of brackets             |
        | as a form                                       |
        | as a form that is JSON as well                  |
        | as plain text                                   |
        | with a note that the body has been looked at    |
        | in chunks                                       |
        | along with the wish to read a stored answer     |

    @local
    Scenario: None of LiteLLM's own parameters is forgotten
      Given every parameter that LiteLLM has and OpenAI's API has not
      When a client sends each of them
      Then each of them is refused

    @local @deployed
    Scenario Outline: A model that is named by <name>
      When a client asks for <operation> of the model "<model>"
      Then the request is refused with status 400 in OpenAI's error shape
      And Azure received nothing of it

      Examples:
        | name              | operation         | model                                |
        | its deployment    | embeddings        | azure/responses/gpt-5.3-codex        |
        | two names at once | a chat completion | gpt-5.3-codex,text-embedding-3-large |

  Rule: What stands beside the body is not obeyed

    @local
    Scenario Outline: <beside>
      Given Azure will take a second for the next request
      When a client sends a request with <beside>
      Then the request is served
      And Azure received the configured api-version, deployment and key
      And Azure received 1 request, for which it took a second

      Examples:
        | beside                                        |
        | another api-version in the query              |
        | another model in the query                    |
        | a time-out of a tenth of a second in a header |
        | another key for LiteLLM in a header           |

  Rule: What clients may send is let through

    # All at once, though Azure would not take some of them together.

    @local
    Scenario: Every field of the Responses API, and what assistants send besides
      Given a program has stored a response
      When a client sends every field that it may, and continues that response
      Then the assistant gets its answer
      And Azure received every field that LiteLLM knows and the model takes

    @local
    Scenario Outline: Every field that OpenAI's API has for <operation>
      When a client asks for <operation> with every field that there is
      Then the request is served

      Examples:
        | operation         |
        | a chat completion |
        | embeddings        |

  Rule: What cannot be closed is known

    # Declared in docs/deviations.md; when one of these fails, the deviation is gone.

    @local
    Scenario: A refused field with nothing in it is obeyed
      When a client asks for an answer and adds an empty api_version
      Then the request is served
      And Azure received an api-version that nobody configured

    @local
    Scenario: A field that LiteLLM does not know gets lost
      When a client asks for an answer and adds a conversation
      Then the assistant gets its answer
      And Azure received nothing of the conversation

    @local
    Scenario: A tool of LiteLLM's own MCP servers, of which there are none
      When a client asks for an answer and adds an MCP server of LiteLLM's to its tools
      Then the request is refused with status 403 in OpenAI's error shape
      And Azure received nothing of it
