"""What the models learn: which barrier a price meets first, when that became known, and how much a row should weigh."""
