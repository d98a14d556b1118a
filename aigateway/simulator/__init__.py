"""A strict, programmable stand-in for Azure OpenAI: what the gateway talks to on a laptop and in the harness.

server    runs the two listeners, in this process or in a child of it
app       the data plane: what Azure is
control_app, control    the control plane on its own port, and the client object for it
faults, replies         what a scenario scripts
ledger    what was received
"""
