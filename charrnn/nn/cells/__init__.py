"""The recurrent cells."""

from charrnn.config import Cell
from charrnn.nn.cells.gru import TimeGRU
from charrnn.nn.cells.lstm import TimeLSTM
from charrnn.nn.cells.recurrent import Recurrent
from charrnn.nn.cells.rnn import TimeRNN
from charrnn.nn.cells.window import TimeBag, TimeWindow

CELLS: dict[Cell, type[Recurrent]] = {
    "rnn": TimeRNN,
    "lstm": TimeLSTM,
    "gru": TimeGRU,
    "window": TimeWindow,
    "bag": TimeBag,
}
