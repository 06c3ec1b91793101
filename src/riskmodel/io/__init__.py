"""Reading and writing files and declarations; where they are."""
