"""Requests and answers as they travel: encodings, the service's model of them, tokens."""
