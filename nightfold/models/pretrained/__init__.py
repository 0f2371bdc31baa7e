"""Pretrained models of time series: a frozen body read from a folder on disk, under a read-out of our own."""
