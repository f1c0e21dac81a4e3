"""Leasehold and `bao agent` doing the same work on one real server: the figures, and the page they are on."""
