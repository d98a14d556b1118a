@NFR3
Feature: Central logs
  What a deployed gateway prints comes together in a workspace of Log Analytics, some minutes later. There people look
  up what became of a request, by the id that its client got.

  Background:
    Given all that clients say, in good requests and in mistaken ones, and their lines in Log Analytics

  @deployed @slow @costs-tokens
  Scenario: A request can be found by its id
    Then each request has left one line there, in JSON

  @deployed @slow @costs-tokens @NFR2
  Scenario: What was said cannot be found
    When the line of a later request has come there too
    Then nothing of what they said stands there
