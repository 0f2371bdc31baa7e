"""Which rows a model may learn from, which it is chosen on, and which it is judged by: cut in time, purged by label."""
