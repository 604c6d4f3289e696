"""Recurrent classifiers that Exegesis trains itself: network, training, and the folder that a model is saved in."""
