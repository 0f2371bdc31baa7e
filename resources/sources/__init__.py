"""Where bars come from: one protocol before a simulated market, a folder, Binance's archive and any exchange."""
