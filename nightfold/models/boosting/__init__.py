"""Gradient boosted trees, one module per library."""
