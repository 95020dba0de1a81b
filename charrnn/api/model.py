"""A trained model, as a program uses it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

from charrnn.api.drawing import copied, drawn
from charrnn.api.evaluating import evaluation
from charrnn.api.labels import predictions
from charrnn.api.scoring import ScoringModel
from charrnn.config import (
    DeviceConfig,
    EvalConfig,
    SampleConfig,
    TextConfig,
    check_names,
    pick,
    takes,
)
from charrnn.errors import CheckpointError
from charrnn.evaluation.labels.evaluate import LabelEvaluation
from charrnn.evaluation.labels.labeller import LabelledText, Labeller, TaggedText
from charrnn.evaluation.result import Evaluation
from charrnn.evaluation.verbatim import Copied
from charrnn.exports import export
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import Checkpoint, save
from charrnn.storage.folder import cache_directory
from charrnn.system.machine import available_cores
from charrnn.text import Vocabulary


class Model(ScoringModel):
    """A trained model: `charrnn.load` and `charrnn.train` give one.

    Parameters
    ----------
    checkpoint : Checkpoint
        Its weights are copied.
    path : Path, optional
        The file that it is from.

    Attributes
    ----------
    network : CharModel
        The network, with V symbols and P parameters: ``network.parameters`` are its weights by
        name. What is changed there is what is sampled, scored and saved from then on.
    checkpoint : Checkpoint
        All that is known of it: its ``architecture``, the ``settings`` and the ``history`` of its
        run, how often each symbol occurs in its text (``counts``), and the weights of ``network``.
    path : Path or None

    Examples
    --------
    >>> model = charrnn.load("runs/corpus")
    >>> model.checkpoint.settings.optimizer
    'muon'
    >>> model.network.parameters["head.W"].shape
    (28, 17)
    """

    def __init__(self, checkpoint: Checkpoint, path: Path | None = None) -> None:
        self.network: CharModel = checkpoint.model()
        history = replace(checkpoint.history, rows=list(checkpoint.history.rows))
        self.checkpoint = replace(
            checkpoint, weights=self.network.parameters, training={}, history=history
        )
        self.path = path

    @property
    def vocabulary(self) -> Vocabulary:
        """The V symbols that the model knows, and their numbers."""
        return self.checkpoint.vocabulary

    def __repr__(self) -> str:
        config, history = self.checkpoint.architecture, self.checkpoint.history
        members = f"{config.members} x " if config.members > 1 else ""
        return (
            f"Model({config.cell} {members}{config.num_layers} x {config.hidden_size}, "
            f"{len(self.vocabulary):,} symbols, {self.network.num_parameters:,} parameters, "
            f"step {history.step:,})"
        )

    @overload
    def sample(self, seed: str = "", *, num_samples: None = None, **more: Any) -> str: ...

    @overload
    def sample(self, seed: str = "", *, num_samples: int, **more: Any) -> list[str]: ...

    @takes(SampleConfig, leave_out=["num_samples"])
    def sample(
        self,
        seed: str = "",
        *,
        num_samples: int | None = None,
        prompt: str | None = None,
        novel: bool = False,
        threads: int | None = None,
        device: str | None = None,
        **settings: Any,
    ) -> str | list[str]:
        r"""Draw text that goes on from a seed, or, from a model of items, whole items.

        Parameters
        ----------
        seed : str
            What the text begins with. Without one, text goes on as after a line end, if the
            vocabulary has one, else as after its first symbol; an item begins as items do.
        num_samples : int, optional
            How many to draw, in parallel.
        prompt : str, optional
            Of a model that was trained with ``prompted``: what it reads first.
        novel : bool
            From a model of items: only items that are not in its text, each of them once.
        threads : int, optional
            Processes for many samples, as many as there are cores if left out; no effect on the
            text. Not for one.
        device : str, optional
            As for `evaluate`: what draws many samples.
        **settings
            The other fields of `SampleConfig`: ``length`` in characters as people see them (500),
            of an item at the most; ``temperature`` (1), ``top_k``, ``top_p``, ``min_p``; ``stop``,
            a text that ends it, or several, the first of which does; ``allow``, the characters that
            may be drawn, in one text; ``random_seed``, with which the text is the same every time.

        Returns
        -------
        str or list of str
            The text, the seed included. A list if ``num_samples`` is given.

        Raises
        ------
        VocabularyError
            If the seed has a character that the model does not know.
        ConfigError
            If a setting is unknown or out of range, or has no meaning for this model; if it does
            not know a character of ``stop`` or ``allow``.
        CharrnnError
            If ``novel`` items do not turn up.

        Examples
        --------
        >>> model = charrnn.load("runs/corpus")
        >>> text = model.sample("pack ", length=20, random_seed=1)
        >>> text.startswith("pack "), len(text)
        (True, 25)
        >>> len(model.sample(num_samples=3, length=10, temperature=0.5))
        3
        """
        check_names(self.sample, settings)
        config = pick(SampleConfig, {**settings, "num_samples": num_samples})
        self._check_writes()
        texts = drawn(
            self.checkpoint,
            self.network,
            config,
            seed=seed,
            prompt=prompt,
            novel=novel,
            threads=threads,
            device=DeviceConfig(device=device),
            cache_dir=self._cache_dir,
        )
        return texts[0] if num_samples is None else texts

    def copied(self, texts: str | Sequence[str]) -> Copied:
        r"""Return how much of some texts stands verbatim in the text that the model learned.

        Parameters
        ----------
        texts : str or sequence of str
            Such as `sample` draws them, without the seed. A model of items reads each as one.

        Returns
        -------
        Copied
            The longest run and the share of new n-grams, of each text and of all, beside those of
            held-out text. In a notebook it shows itself as a table.

        Raises
        ------
        CorpusError
            If the training text is gone or has changed.

        Examples
        --------
        >>> found = charrnn.load("runs/corpus").copied("pack my jugs")
        >>> found.all.run, found.all.share(8)
        ('pack my ', 0.8)
        """
        self._check_writes()
        return copied(self.checkpoint, texts, self._cache_dir)

    def predict(
        self,
        texts: Sequence[str] | Sequence[Sequence[str]],
        *,
        top: int = 1,
        keep: bool = False,
        threads: int | None = None,
    ) -> list[LabelledText] | list[TaggedText] | list[str]:
        r"""Label texts, tag their tokens, or restore what they lack.

        Parameters
        ----------
        texts : sequence of str, or of sequences of str
            Texts, none of them empty. For a model of tags, the tokens of each sentence; a text is
            taken as its words, or as its characters where the model learned such tokens.
        top : int
            Of a model of labels: how many of the likeliest labels each text gets.
        keep : bool
            Of a model that restores: whether what a text has is kept, and only added to.
        threads : int, optional
            Processes, as many as there are cores if left out; no effect on the result.

        Returns
        -------
        list of LabelledText, of TaggedText or of str
            For each text: its ``label`` and its ``labels`` with their probabilities; its
            ``tokens``, ``tags`` and their ``probabilities``; or the restored text.

        Raises
        ------
        ConfigError
            If the model predicts the next character, or an option has no meaning for it.

        Examples
        --------
        >>> pairs = [("odd" if number % 2 else "even", number) for number in range(10, 500)]
        >>> text = "".join(f"{label}\t{number}\n" for label, number in pairs)
        >>> run = charrnn.train(text=text, predict="label", steps=60, hidden_size=16)
        >>> [found.label for found in run.model.predict(["1235", "248"])]
        ['odd', 'even']
        """
        labeller = Labeller(self.checkpoint, self.network, threads=threads or available_cores())
        return predictions(labeller, texts, top=top, keep=keep)

    @takes(EvalConfig, TextConfig, leave_out=["unit"])
    def evaluate(
        self,
        paths: str | Path | Sequence[str | Path] = (),
        *,
        text: str | bytes | None = None,
        context: str = "",
        baselines: bool = False,
        columns: str | None = None,
        threads: int | None = None,
        device: str | None = None,
        **settings: Any,
    ) -> Evaluation | LabelEvaluation:
        """Score a whole text: nats, bits, perplexity, and how they were measured.

        A model of labels is scored on texts with labels, in the form of its training text:
        accuracy, macro-F1, figures for each label.

        Parameters
        ----------
        paths : path or sequence of paths
            Files, folders or patterns. If there are none and no ``text``: the held-out part of the
            text that the model was trained on, which is looked for where it was.
        text : str or bytes, optional
            The text itself; bytes for a model of bytes alone.
        context : str
            What precedes the text, which the model reads and which costs nothing; without it, what
            `sample` begins with. The held-out part follows on nothing: its first character is
            charged as uniform.
        baselines : bool
            Whether to compare with n-grams and compressors that know the same training text.
        columns : str, optional
            Of a model of labels: those of label and text in a .csv, where not as in training.
        threads : int, optional
            Processes, as many as there are cores if left out; no effect on the result. Not for what
            is read in one stream: with ``exact``, ``adapt`` or ``dynamic``.
        device : str, optional
            ``"cpu"`` (as if left out), ``"cuda"``, ``"cuda:N"`` or ``"auto"``, a GPU where one can
            be used: its figures differ in the last digits.
        **settings
            The fields of `EvalConfig`, how to score: ``unknown``, ``exact``, ``cold_windows``,
            ``adapt``, ...; and of `TextConfig`, how to read files where not as
            the model's own: ``encoding``, ``errors``, ``column``, ...

        Returns
        -------
        Evaluation or LabelEvaluation
            ``nats_per_char``, ``bits_per_char``, ``bits_per_byte``, ``perplexity`` and counts; a
            character is what the model reads, as ``per`` says, a byte or a jamo perhaps.

        Raises
        ------
        CorpusError
            If the text cannot be read, is empty, or is not found.
        VocabularyError
            If characters are unknown and ``unknown`` is "error".
        ConfigError
            If a setting is unknown or out of range.

        Examples
        --------
        >>> model = charrnn.load("runs/corpus")
        >>> model.evaluate().characters
        120
        >>> found = model.evaluate(text="pack my box", exact=True)
        >>> found.characters, found.perplexity < 28
        (11, True)
        """
        check_names(self.evaluate, settings)
        return evaluation(
            self.checkpoint,
            self.network,
            paths,
            text,
            context=context,
            baselines=baselines,
            columns=columns,
            threads=threads,
            device=DeviceConfig(device=device),
            settings=settings,
            cache_dir=self._cache_dir,
        )

    def save(self, path: str | Path) -> None:
        """Write the model to a file that `charrnn.load` reads, in one piece or not at all.

        Parameters
        ----------
        path : str or Path
            Ends in ``.npz`` by custom. A file that is there is replaced.

        Raises
        ------
        CheckpointError
            If it cannot be written, or its weights are not finite float32 numbers.

        Examples
        --------
        >>> model = charrnn.load("runs/corpus")
        >>> model.save("copy.npz")
        >>> again = charrnn.load("copy.npz")
        >>> np.array_equal(again.score("box").nats, model.score("box").nats)
        True
        """
        path = Path(path)
        if path.is_dir():
            raise CheckpointError(f"{path} is a folder: name a file in it, such as model.npz")
        if not path.parent.is_dir():
            raise CheckpointError(f"{path} cannot be written: there is no folder {path.parent}")
        save(path, self.checkpoint, verify=True)

    def export(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the model to a file that other programs read, in one piece or not at all.

        Only the network is written: not the n-grams or counts that a model may be mixed with.

        Parameters
        ----------
        path : str or Path
            Ends in ``.html``, for a page that is the model, or in ``.safetensors``, for the weights
            with PyTorch's names and shapes.
        overwrite : bool
            Whether a file that is there is replaced.

        Raises
        ------
        ConfigError
            If the name has another ending.
        CharrnnError
            If the file is there or cannot be written, or the format cannot hold this model.

        Examples
        --------
        >>> charrnn.load("runs/corpus").export("model.html")
        """
        export(Path(path), self.checkpoint, overwrite=overwrite)

    @property
    def _cache_dir(self) -> Path | None:
        """Where large texts are kept encoded: a model that is in no file leaves none."""
        return cache_directory() if self.path else None
