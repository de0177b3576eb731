"""Bytes from the broker in, kept readings out: receive, decode, refuse with a reason, store."""
