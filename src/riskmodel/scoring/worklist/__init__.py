"""What the worklist says."""
