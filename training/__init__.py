"""Apart from serving: data sets, attack scenarios, architecture, training, export, evaluation."""
