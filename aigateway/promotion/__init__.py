"""What was proven of a release, where, and whether that lets it into the next environment.

digests, images, scanning     what evidence names things by
release, origin               what a checkout would deploy, and who runs this
evidence, gathering           evidence.json, and how a run makes it
attestation, differences      who signed a file; where two environments' settings differ
gate, verdicts                the rules, and what they come to, as text and as Markdown
registry, pinning             tags, resolved to digests
"""
