"""How Roo Code's codebase indexing will go: which files and segments, sent as Roo sends them, and what comes of it.

What Roo does is from Roo Code 3.52.1, src/services/code-index (github.com/RooCodeInc/Roo-Code); docs/rehearse.md says
what is near it and what is not.
"""
