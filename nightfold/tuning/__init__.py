"""Which settings a model gets: searched on purged folds of rows known before an as-of, every trial written down."""
