@FR1 @NFR2
Feature: Bad input
  Programs have bugs, and people make mistakes. Whatever they send, they are told what is wrong in a way that every
  client understands, nothing of it costs tokens, and it is nobody else's trouble.

  Rule: Everybody is told what is wrong

    @local @deployed
    Scenario: A request that breaks off
      When every endpoint is sent a body of half of its JSON
      Then each refuses it with a 4xx in OpenAI's error shape
      And Azure received nothing of it

    @local @deployed
    Scenario: A request that is too large
      When every endpoint is sent a body that is a mebibyte too large, with a length
      Then each refuses it with status 413 in OpenAI's error shape
      And Azure received nothing of it

  Rule: What cannot be read is refused before Azure sees it

    @local
    Scenario Outline: A body of <content>
      Given a gateway that takes many requests
      When every endpoint is sent a body of <content>
      Then each refuses it with a 4xx in OpenAI's error shape
      And no refusal shows what stands behind the gateway
      And Azure received nothing of it

      Examples:
        | content                             |
        | nothing                             |
        | blanks                              |
        | words                               |
        | JSON and more                       |
        | two JSON objects                    |
        | a JSON list                         |
        | a JSON text                         |
        | a JSON number                       |
        | a JSON null                         |
        | JSON with a comment                 |
        | JSON in UTF-16                      |
        | JSON with a byte order mark         |
        | a text that is no UTF-8             |
        | a text with half a character        |
        | a text with a zero byte             |
        | a number that is none               |
        | a number beyond all numbers         |
        | a number of 5,000 digits            |
        | 100,000 lists in each other         |
        | 100,000 objects in each other       |
        | lists that never end                |
        | no model                            |
        | two models                          |
        | an empty model                      |
        | a model that is a number            |
        | a model that is a list              |
        | a model that is a path              |
        | an unknown model                    |
        | a model whose name is 100 KiB long  |
        | no input                            |
        | an input that is null               |

    @local
    Scenario Outline: A good body as <form>
      Given a gateway that takes many requests
      When every endpoint is sent a good body as <form>
      Then each refuses it with a 4xx in OpenAI's error shape
      And no refusal shows what stands behind the gateway
      And Azure received nothing of it

      Examples:
        | form                              |
        | text/plain                        |
        | application/xml                   |
        | application/x-www-form-urlencoded |
        | multipart/form-data; boundary=x   |
        | application/jsonp                 |
        | nothing in particular             |

  Rule: A field that does not fit is the client's mistake, and not the gateway's

    @local
    Scenario Outline: <field> is <value>, at <endpoint>
      Given a gateway that takes many requests
      When <endpoint> is sent a body in which <field> is <value>
      Then the request is refused with a 4xx in OpenAI's error shape
      And the refusal tells nothing of any program, and nothing of what stands behind the gateway

      Examples:
        | endpoint         | field           | value             |
        | responses        | input           | 5                 |
        | responses        | input           | true              |
        | responses        | input           | [null]            |
        | responses        | tools           | "x"               |
        | responses        | tools           | [5]               |
        | responses        | metadata        | "x"               |
        | responses        | stream          | "yes"             |
        | responses        | include         | 5                 |
        | responses        | reasoning       | "x"               |
        | chat/completions | messages        | 5                 |
        | chat/completions | messages        | "x"               |
        | chat/completions | messages        | [5]               |
        | chat/completions | messages        | [[]]              |
        | chat/completions | response_format | "x"               |
        | chat/completions | tools           | "x"               |
        | chat/completions | tool_choice     | 5                 |
        | embeddings       | input           | ""                |
        | embeddings       | input           | []                |
        | embeddings       | input           | [[]]              |
        | embeddings       | input           | {}                |
        | embeddings       | metadata        | "x"               |
        | embeddings       | dimensions      | "x"               |
        | embeddings       | encoding_format | 5                 |

    @local
    Scenario: A chat completion in the background
      When chat/completions is sent a body in which background is true
      Then the assistant is told 500 in OpenAI's error shape

  Rule: What is too large is refused before it is all there

    @local
    Scenario Outline: A body that is <much> too large, sent <way>
      Given a gateway that takes many requests
      When every endpoint is sent a body that is <much> too large, <way>
      Then each refuses it with status 413 in OpenAI's error shape
      And Azure received nothing of it

      Examples:
        | much       | way            |
        | one byte   | with a length  |
        | one byte   | in chunks      |
        | a mebibyte | with a length  |
        | a mebibyte | in chunks      |

    @local
    Scenario: A body that is just small enough
      Given a gateway that takes many requests
      When every endpoint is sent a body that is just small enough, for an unknown model
      Then each says that there is no such model

    @local
    Scenario: A million tokens to embed
      Given a gateway that takes many requests
      When the embeddings endpoint is sent a million tokens
      Then the request is refused with status 413 in OpenAI's error shape

    @local
    Scenario Outline: 100 MB, sent <way>
      Given a gateway that has been idle
      And the memory that its edge holds
      When every endpoint is sent 100 MB, <way>
      Then each refuses it with status 413 in OpenAI's error shape
      And its edge has kept none of it

      Examples:
        | way           |
        | with a length |
        | in chunks     |

    @local @slow
    Scenario: Large texts leave little behind
      Given a gateway that nobody else uses
      And the memory that its edge holds
      When it is sent 300 MB in texts of 6 MB, for an unknown model
      Then each says that there is no such model
      And its edge has kept none of it
      And LiteLLM has kept less than it was sent

    @local @slow
    Scenario: Huge lists leave a trace in LiteLLM alone
      Given a gateway that nobody else uses
      And the memory that its edge holds
      When it is sent lists of a million things
      Then each refuses it with a 4xx in OpenAI's error shape
      And its edge has kept none of it
      And LiteLLM has kept more than it was sent

  Rule: Whatever is sent, the answer is one that a client understands

    @local
    Scenario Outline: Any request to <endpoint>
      Given a gateway that takes many requests
      When 20 requests to <endpoint> are made up
      Then each is answered in OpenAI's shape, and none with a failure of the gateway's

      Examples:
        | endpoint         |
        | responses        |
        | chat/completions |
        | embeddings       |

    @local @slow
    Scenario Outline: Any of many requests to <endpoint>
      Given a gateway that takes many requests
      When 1000 requests to <endpoint> are made up
      Then each is answered in OpenAI's shape, and none with a failure of the gateway's

      Examples:
        | endpoint         |
        | responses        |
        | chat/completions |
        | embeddings       |
