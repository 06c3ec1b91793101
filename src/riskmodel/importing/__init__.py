"""Files as offices and researchers have them, read into a folder of the contract's tables."""
