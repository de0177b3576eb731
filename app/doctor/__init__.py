"""``pantau doctor``: looks at an installation and says what will go wrong, before it does."""
