"""A trainer that is asked for many steps at once and keeps its weights apart from the model."""

from charrnn.backend.arrays import shared_zeros
from charrnn.nn.model import CharModel
from charrnn.training.step import ShardTrainer


class DetachedTrainer(ShardTrainer):
    """As a trainer on a GPU: the model has the weights of the last ``publish``."""

    chunk = 7  # in place of the property
    asked: list

    def __init__(self, model, *args, **options):
        self._outside = model
        apart = CharModel(model.config, model.vocab_size, zeros=shared_zeros)
        apart.parameters.fill(model.parameters)
        super().__init__(apart, *args, **options)
        self.asked = []

    def steps(self, rates):
        """Count the steps that are asked for."""
        self.asked.append(len(rates))
        return super().steps(rates)

    def publish(self):
        """Copy the weights to the model outside."""
        self._outside.parameters.fill(self.model.parameters)

    def restore(self, arrays):
        """Copy the weights of the model outside."""
        super().restore(arrays)
        self.model.parameters.fill(self._outside.parameters)
