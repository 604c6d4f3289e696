"""What every question answers: values that can be compared, saved and read."""
