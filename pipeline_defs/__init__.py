"""Definitions, jobs, schedules and the command line: the only place that knows everything."""
