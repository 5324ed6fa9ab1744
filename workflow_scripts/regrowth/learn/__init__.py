"""Learning: gradients of a model's own loss, on pictures that it draws itself."""
