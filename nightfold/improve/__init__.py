"""Variants of an experiment, tried one after another and judged as many: grids, a search, and days kept for the end."""
