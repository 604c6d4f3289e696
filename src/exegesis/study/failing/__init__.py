"""Wrong predictions and wrong labels: causes, the training texts behind them, repair."""
