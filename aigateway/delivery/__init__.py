"""What a deployment does, step by step, on a laptop as in a job of GitHub Actions.

changes     what a plan would do, for people, and which secrets it takes
planning    makes a plan of an environment
rollout     applies a plan, and takes the app back to the revision that ran before
drift       what in Azure differs from the checkout, told in an issue
"""
