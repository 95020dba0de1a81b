"""The trained model of the Python API."""

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
    """A trained model, as returned by `charrnn.load` and by the ``model`` of `charrnn.train`.

    Parameters
    ----------
    checkpoint : Checkpoint
        The checkpoint of the model; its weights are copied.
    path : Path, optional
        The file that the model was loaded from.

    Attributes
    ----------
    network : CharModel
        The network. ``network.parameters`` maps names to weight arrays; changes to them take effect
        in everything that is sampled, scored or saved later.
    checkpoint : Checkpoint
        Everything stored with the model: its ``architecture``, the ``settings`` and ``history`` of
        its run, how often each symbol occurs in the training text (``counts``), and the weights of
        ``network``.
    path : Path or None
        The file that the model was loaded from, if any.

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
        """The V symbols that the model knows, and their ids."""
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
        r"""Generate text that continues a seed or, with a model of items, whole items.

        Parameters
        ----------
        seed : str
            The beginning of the text. If it is empty, text starts as after a newline, or after the
            first symbol of a vocabulary without newlines; an item starts from its beginning.
        num_samples : int, optional
            Number of texts, generated in parallel.
        prompt : str, optional
            For a model trained with ``prompted``: the prompt of each item.
        novel : bool
            For a model of items: return only items that are not in its training text, each one
            once.
        threads : int, optional
            Worker processes for several samples; the default is one per core. The texts do not
            depend on it. A single sample uses one process.
        device : str, optional
            The device for several samples; see `evaluate`.
        **settings
            Other fields of `SampleConfig`: ``length``, in user-perceived characters (default 500;
            for an item, the maximum); ``temperature`` (default 1), ``top_k``, ``top_p`` and
            ``min_p``; ``stop``, one or more strings, at the first of which the text ends;
            ``allow``, a string of the characters that may be sampled; ``random_seed``, which makes
            the text reproducible.

        Returns
        -------
        str or list of str
            The text, including the seed; a list of texts if ``num_samples`` is given.

        Raises
        ------
        VocabularyError
            If the seed has a character that is not in the model's vocabulary.
        ConfigError
            If a setting is unknown, out of range or does not apply to this model, or if ``stop`` or
            ``allow`` has a character that is not in its vocabulary.
        CharrnnError
            If ``novel`` is true and no new items are found after many attempts.

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
        r"""Measure how much of some texts is copied verbatim from the training text.

        Parameters
        ----------
        texts : str or sequence of str
            Texts to compare, such as samples without their seed. For a model of items, each text is
            one item.

        Returns
        -------
        Copied
            The longest copied passage and the share of new n-grams, for each text and for all of
            them, next to the same figures for held-out text. A notebook displays it as a table.

        Raises
        ------
        CorpusError
            If the training text cannot be found or has changed.

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
        r"""Label texts, tag their tokens, or restore what was removed from them.

        Parameters
        ----------
        texts : sequence of str, or of sequences of str
            The texts, none of them empty. A model of tags takes the tokens of each sentence, or a
            text, which it splits into words (into characters if its training tokens were
            characters).
        top : int
            For a model of labels: number of most likely labels to return per text.
        keep : bool
            For a model that restores: keep what a text already has and only add to it.
        threads : int, optional
            Worker processes; the default is one per core. The result does not depend on it.

        Returns
        -------
        list of LabelledText, of TaggedText or of str
            One per text: its ``label``, and its ``labels`` with their probabilities; its ``tokens``
            and ``tags``, and their ``probabilities``; or the restored text.

        Raises
        ------
        ConfigError
            If the model is a language model, or an option does not apply to it.

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
        """Evaluate the model on a whole text: nats, bits, perplexity, and how they were measured.

        A model of labels is evaluated on labelled texts in the format of its training text:
        accuracy, macro-F1, and figures per label.

        Parameters
        ----------
        paths : path or sequence of paths
            Files, folders or glob patterns. Without ``paths`` and ``text``, the held-out part of
            the model's own text is scored; its file must still be where it was.
        text : str or bytes, optional
            The text itself, in place of ``paths``; bytes only for a model of bytes.
        context : str
            Text that precedes the scored text: the model reads it, and it is not scored. The
            default is what `sample` starts from. The held-out part has no context: its first
            character is scored with uniform probability.
        baselines : bool
            Compare with n-gram models and compressors that are given the same training text.
        columns : str, optional
            For a model of labels: the label and text columns of a CSV file, if they differ from
            those in training.
        threads : int, optional
            Worker processes; the default is one per core. The result does not depend on it. Not
            with ``exact``, ``adapt`` or ``dynamic``, which read one stream.
        device : str, optional
            ``"cpu"`` (the default), ``"cuda"``, ``"cuda:N"``, or ``"auto"`` for a GPU if one can be
            used. Figures from a GPU differ in the last digits.
        **settings
            Fields of `EvalConfig`, how to score: ``unknown``, ``exact``, ``cold_windows``,
            ``adapt``, ...; and of `TextConfig`, how to read files that differ from the training
            text: ``encoding``, ``errors``, ``column``, ...

        Returns
        -------
        Evaluation or LabelEvaluation
            ``nats_per_char``, ``bits_per_char``, ``bits_per_byte``, ``perplexity`` and counts. A
            character is one symbol of the model; ``per`` says whether that is a character, a byte
            or a jamo.

        Raises
        ------
        CorpusError
            If the text is missing, empty or cannot be read.
        VocabularyError
            If ``unknown`` is "error" and a character is not in the vocabulary.
        ConfigError
            If a setting is unknown, out of range, or does not apply to this model.

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
        """Save the model atomically to a file that `charrnn.load` reads.

        Parameters
        ----------
        path : str or Path
            The file, by convention with the suffix ``.npz``. An existing file is replaced.

        Raises
        ------
        CheckpointError
            If the file cannot be written, or the weights are not finite float32 numbers.

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
            raise CheckpointError(
                f"{path} cannot be written: the folder {path.parent} does not exist; create it "
                "first"
            )
        save(path, self.checkpoint, verify=True)

    def export(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Export the model atomically to a file for other programs.

        Only the network is exported, without the n-gram counts that it may be mixed with.

        Parameters
        ----------
        path : str or Path
            A file with the suffix ``.html``, for a web page that runs the model, or
            ``.safetensors``, for the weights with PyTorch's names and shapes.
        overwrite : bool
            Replace an existing file.

        Raises
        ------
        ConfigError
            If the file has another suffix.
        CharrnnError
            If the file exists or cannot be written, or the format does not support this model.

        Examples
        --------
        >>> charrnn.load("runs/corpus").export("model.html")
        """
        export(Path(path), self.checkpoint, overwrite=overwrite)

    @property
    def _cache_dir(self) -> Path | None:
        """Where large encoded texts are cached; a model without a file caches none."""
        return cache_directory() if self.path else None
