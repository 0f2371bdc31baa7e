"""When a forecast is worth a trade and how large it is: thresholds found on earlier predictions only."""
