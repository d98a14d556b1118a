@FR6 @G3 @another-gateway
Feature: Isolation
  Each environment has a gateway, an Azure and keys of its own, and so has each project. What belongs to one is of no
  use in another.

  Rule: A key is good for its own gateway alone

    @local @FR3
    Scenario Outline: A key of <other> is refused
      Given a gateway of <other>
      When each of the two is asked with a key of the other one
      Then both refuse it with status 401 in OpenAI's error shape
      And neither's Azure received anything of it

      Examples:
        | other                               |
        | another environment                 |
        | another project in this environment |

  Rule: An environment has an Azure of its own

    @local @FR2 @FR4
    Scenario: Two environments ask two Azures
      Given a gateway of another environment
      When each of the two is asked with a key of its own
      Then each has asked its own Azure alone, with its own key and for its own deployment
      And both give their answer

    @local
    Scenario: A stored response cannot be read in another environment
      Given a gateway of another environment
      And each of the two has stored a response
      When each is asked for the other one's with a key of its own
      Then both refuse it with a 4xx in OpenAI's error shape
