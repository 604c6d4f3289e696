"""Recurrent states split into parts that add up."""
