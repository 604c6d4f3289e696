"""Any trained torch module: the way to call it, its outputs, and the abilities that trials find in it."""
