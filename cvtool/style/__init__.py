"""Neural style transfer: the losses, the networks they are measured with, the optimisation."""
