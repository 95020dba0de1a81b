"""What the help of each command shows at its end: what it is good for, and the line to paste."""

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "train": (
        ("A model of a book, in 2 minutes", "charrnn train book.txt --minutes 2"),
        ("A generator of names, from a list with one per line", "charrnn train names.txt --lines"),
        (
            "A classifier, from lines of a label, a tab and a text",
            "charrnn train reviews.tsv --predict label",
        ),
        (
            "A run repeated with another random seed",
            "charrnn train --config runs/book/run.toml --random-seed 1",
        ),
        (
            "On an NVIDIA GPU, with CuPy installed (the extra cuda12 or cuda13)",
            "charrnn train book.txt --device cuda",
        ),
    ),
    "sample": (
        ("A text that begins like this", 'charrnn sample --seed "Once upon a time"'),
        ("A single line", "charrnn sample --stop $'\\n'"),
        ("100 samples, and how much of them is copied", "charrnn sample -n 100 --copied"),
        ("Many samples on a GPU", "charrnn sample -n 1000 --device cuda"),
    ),
    "predict": (
        ("A label for each line of a file", "charrnn predict new.txt"),
        ("The 3 most likely labels of a text", 'charrnn predict --text "well done" --top 3'),
        ("Labels with their probabilities, for a program", "charrnn predict new.txt --json"),
    ),
    "eval": (
        ("The held-out part of the newest run", "charrnn eval"),
        ("Another text, compared with n-grams and compressors", "charrnn eval a.txt --baselines"),
        ("A large text on a GPU", "charrnn eval big.txt --device cuda"),
    ),
    "score": (
        ("The most likely typos in a text", "charrnn score draft.txt --top 20"),
        ("Each line of a log as it arrives", "tail -f app.log | charrnn score - --flush"),
        ("Which of two models fits each line", "charrnn score a.txt --model dickens --model poe"),
    ),
    "export": (
        ("A web page that samples from the model", "charrnn export book book.html"),
        ("Weights for PyTorch", "charrnn export book book.safetensors"),
    ),
    "info": (
        ("The newest run", "charrnn info"),
        ("A run by its name, for a program", "charrnn info book --json"),
    ),
    "report": (
        ("The newest run", "charrnn report"),
        ("Two runs side by side", "charrnn report small large -o compared.html"),
    ),
    "gradients": (
        ("RNN, LSTM and GRU before training", "charrnn gradients"),
        ("A trained model, drawn as curves", "charrnn gradients book -o gradients.svg"),
    ),
    "runs": (
        ("The runs, best validation loss first", "charrnn runs --sort loss"),
        ("How two runs differ", "charrnn runs book book-2"),
    ),
    "bench": (
        ("An LSTM with 512 units", "charrnn bench --cell lstm --hidden-size 512"),
        ("On a GPU", "charrnn bench --device cuda --precision bf16 --batch-size 256"),
    ),
}
