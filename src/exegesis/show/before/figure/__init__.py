"""Documents as figures: SVG, PNG, PDF and matplotlib."""
