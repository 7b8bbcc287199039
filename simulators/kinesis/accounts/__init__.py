"""Whose streams they are, and who may use them."""
