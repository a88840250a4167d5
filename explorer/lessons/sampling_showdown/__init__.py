"""The Sampling showdown without its page."""
