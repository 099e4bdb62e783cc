"""The studio, as a browser or another program sees it."""
