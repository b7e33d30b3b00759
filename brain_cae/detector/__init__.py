"""What is fitted, stored and applied to one brain."""
