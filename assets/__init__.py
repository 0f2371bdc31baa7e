"""The software-defined assets: a dozen lines each, then a call into `nightfold`."""
