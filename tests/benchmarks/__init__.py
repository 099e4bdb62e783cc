"""What the engine costs, beside the least that the same work can cost on the same machine at the same time."""
