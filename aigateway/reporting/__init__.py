"""What a run found, for people and for other programs: a page, a summary for a job's page, Cucumber's JSON."""
