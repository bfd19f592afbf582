"""The library behind the course: densities, bounds, models and the tools to train, measure and show them."""
