"""The recurrent cells that there are."""

from charrnn.config import Cell
from charrnn.nn.gru import TimeGRU
from charrnn.nn.lstm import TimeLSTM
from charrnn.nn.recurrent import Recurrent
from charrnn.nn.rnn import TimeRNN

CELLS: dict[Cell, type[Recurrent]] = {
    "rnn": TimeRNN,
    "lstm": TimeLSTM,
    "gru": TimeGRU,
}
