"""Any trained torch module as it stands: how it wants to be called, how far it can be seen through."""
