"""Our own small networks over windows of bars: specs and models need no torch to be imported, all else is torch."""
