"""The networks that are trained here, one kind a file, and the network that a config describes."""
