"""The sections of a tearsheet, one module a subject, each from the report to sentences, tables and pictures."""
