"""Workflows: how imagery of a site becomes a report that can be checked."""

__version__ = "0.1.0"
