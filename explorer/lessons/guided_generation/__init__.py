"""Guided generation without its page."""
