"""Pairs of submissions that look copied: a hint for a person who then reads both, never a verdict."""
