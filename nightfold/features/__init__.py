"""Bars in, scale-free numbers out: each feature is one function and one catalog line, and none has seen the future."""
