"""Ensembles: forecasts of several models become one, whose direction is then calibrated."""
