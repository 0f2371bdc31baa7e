"""What things cost: each benchmark is a function that measures ours beside a floor, a peer or a promise."""
