"""Everything with a handle to the outside: lake, warehouse, market data, tracking, alerts."""
