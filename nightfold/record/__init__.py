"""What is kept of a fit for people to look at: how it went, and what the model looks at."""
