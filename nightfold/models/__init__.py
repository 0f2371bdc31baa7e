"""Models: one contract, a catalog of families that keep it, and bundles that carry the fitted ones."""
