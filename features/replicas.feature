@FR5 @NFR4 @another-gateway
Feature: Several replicas
  When there is more to do than one replica can, others are started beside it. Each counts by itself, so each enforces
  its share of what the settings declare: together they are as one gateway, for Azure and for its clients.

  Rule: The limits hold for all replicas together

    @local
    Scenario: A client's flood behind one address
      Given two replicas behind one address, with low limits
      When one client sends 60 requests for embeddings at once
      Then some are served and the others are told 429 in OpenAI's error shape
      And at no time did Azure receive more than a client's limit for embeddings
      And Azure received each that was served, and none of the others
      And each replica has served some of it

    @local
    Scenario: A flood from all clients together behind one address
      Given two replicas behind one address, with low limits
      When all clients together send 80 requests for an answer at once
      Then some are served and the others are told 429 in OpenAI's error shape
      And at no time did Azure receive more than the limit of all clients for an answer
      And each replica has served some of it

    @local
    Scenario: Many requests at once behind one address
      Given two replicas behind one address, with 4 places in all
      When 8 requests for an answer come at once, and Azure takes its time
      Then all of them are served
      And Azure worked on 4 of them at once, and never on more

  Rule: A client need not know which replica it has

    @local @FR3 @G1
    Scenario: Every client's key works with each replica
      Given two replicas behind one address
      When each client asks twice with each of its valid keys
      Then every request is served
      And each replica has served each client

    @local @FR1 @G1
    Scenario: A conversation goes on with another replica
      Given two replicas behind one address
      And the assistant has told the model a word to remember
      When the assistant asks for the word and names only the previous response
      Then the answer is that word
      And each replica has served some of it

    @local @FR1 @G1
    Scenario: A response that one replica stored is read and deleted through another
      Given two replicas behind one address
      And the model has given a stored answer
      When the assistant reads the stored response
      Then it holds the same answer
      And after it is deleted it cannot be read any more
      And each replica has served some of it

  Rule: A replica can be started and restarted at any time

    @local @NFR1
    Scenario: A replica that starts
      When a replica starts
      Then until it is ready its clients are told 503 in OpenAI's error shape, and when to come back
      And it is ready within the time that the deployment gives it
      And it would be so with no more CPU than its container has
      And it serves the first request after that

    @local @NFR1 @FR1 @G1
    Scenario: A stored response outlives a restart
      Given a gateway that was restarted
      And a response that it had stored before
      When the assistant reads the stored response
      Then it holds the same answer
