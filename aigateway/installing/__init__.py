"""Installs programs from PyPI, pinned with hashes, into environments of their own, kept between runs."""
