@NFR4
Feature: Cost
  A replica is small, and does what the settings expect of it: only then is another one started.

  @local
  Scenario: A replica serves as many requests at once as the settings expect
    Given a gateway that has been idle
    When as many requests come at once as a replica should take, and Azure takes its time
    Then all of them are served
    And Azure worked on all of them at once

  @local
  Scenario Outline: The work of <part> fits into its container
    When the indexer sends 10 batches of 60 segments at once as Roo does
    Then <part> has never held more memory than its container has

    Examples:
      | part    |
      | LiteLLM |
      | Envoy   |
