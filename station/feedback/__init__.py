"""Operator feedback: what an answer is, how it is worded, and which outputs show it."""
