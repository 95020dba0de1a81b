"""What other programs call the options of charrnn: char-rnn, torch-rnn, nanoGPT, fastText, ..."""

from collections.abc import Iterable, Mapping

OPTIONS = {
    "--learning-rate": "lr alpha learn-rate step-size base-lr",
    "--hidden-size": "rnn-size rnn-hidden hidden-dim hidden-units num-hidden nhid n-hidden n-embd "
    "num-units units lstm-size state-size d-model dim width",
    "--num-layers": "layers-num layers n-layer n-layers nlayers rnn-layers depth",
    "--seq-len": "seq-length sequence-length block-size bptt context-length max-seq-len timesteps "
    "num-steps unroll",
    "--batch-size": "batch bsz bs minibatch-size per-device-train-batch-size streams",
    "--epochs": "epoch n-epochs num-epochs nepochs num-train-epochs passes",
    "--steps": "step iters iterations max-iters max-steps num-iterations updates",
    "--minutes": "time time-limit hours seconds duration",
    "--patience": "early-stopping early-stop",
    "--max-grad-norm": "clip grad-clip gradient-clip clip-norm clip-grad grad-norm",
    "--weight-decay": "wd wdecay l2 decay",
    "--weight-dropout": "wdrop weight-drop recurrent-dropout drop-connect",
    "--dropout": "drop keep-prob dropout-rate dropouth dropouti",
    "--embedding-size": "wordvec-size emb-size emsize embedding-dim embed-dim embed embedding",
    "--optimizer": "optim opt optimiser",
    "--schedule": "scheduler lr-schedule lr-scheduler lr-decay decay-lr learning-rate-decay",
    "--warmup": "warmup-iters warmup-steps warmup-ratio",
    "--val-fraction": "val-frac val-split validation-split test-size test-split valid-fraction "
    "train-frac train-size dev-fraction",
    "--val": "val-file val-data valid validation dev dev-file validation-file test-file",
    "--validations": "eval-interval eval-every eval-val-every eval-iters",
    "--save-every": "checkpoint-every save-interval save-freq",
    "--random-seed": "seed rng-seed manual-seed randomseed",
    "--out": "out-dir output-dir checkpoint-dir save-dir save savefile checkpoint-name run-name "
    "name output o",
    "--output": "out out-file save",
    "--resume": "continue resume-from resume-from-checkpoint restore load",
    "--init-from": "pretrained finetune fine-tune init base-model warm-start model checkpoint ckpt",
    "--cell": "model-type rnn-type cell-type rnn-cell arch architecture type model",
    "--cell rnn": "rnn vanilla-rnn",
    "--cell lstm": "lstm",
    "--cell gru": "gru",
    "--nonlinearity": "activation act",
    "--directions 2": "bidirectional rnn-bidirectional birnn",
    "--members": "ensemble num-models ensemble-size",
    "--lines": "line line-by-line per-line names",
    "--items": "item delimiter separator documents",
    "--predict": "task label labels classify classification tag tags supervised",
    "--unit byte": "bytes byte byte-level",
    "--unit": "chars level char-level",
    "--normalize": "nfc nfd nfkc unicode normalization normalise",
    "--encoding": "charset enc codec",
    "--device cuda": "gpu gpus cuda use-gpu use-cuda",
    "--device cuda:N": "gpuid gpu-id",
    "--device cpu": "cpu no-cuda no-gpu",
    "--device": "mps accelerator",
    "--precision": "dtype fp16 fp32 float16 half amp mixed-precision",
    "--precision bf16": "bf16",
    "--precision tf32": "tf32",
    "--threads": "thread workers num-workers num-threads cores jobs n-jobs nproc j",
    "--plan": "dry-run summary estimate",
    "--columns": "column text-column label-column fields",
    "--seed": "prime primetext prime-text start start-text prefix begin beginning initial-text "
    "initial prompt",
    "--length": "len num-chars n-chars nchars max-length max-new-tokens max-gen-length max-tokens "
    "num-tokens tokens characters chars words",
    "--num-samples": "samples num-return-sequences count number num",
    "--temperature": "temp t",
    "--top-k": "topk k",
    "--top-p": "topp nucleus nucleus-p p",
    "--min-p": "minp",
    "--stop": "stop-text stop-token end until eos",
    "--model": "run checkpoint ckpt weights load init-from resume model-path model-file "
    "model-name-or-path m",
    "--bits-per-char": "bpc bits bits-per-character",
    "--perplexity": "ppl pp perp",
    "--nats": "loss cross-entropy nll ce",
    "--dynamic": "dynamic-evaluation dynamic-eval online",
    "--cold-windows": "stateless stride context-window",
    "--top": "topk k nbest n-best",
    "--job": "task mode",
    "--text": "input string sentence",
    "--json": "as-json jsonl format",
    "--quiet": "q silent no-progress no-progress-bar",
    "--version": "v",
}
"""For each option, some with a value, the names that mean it elsewhere."""

ARGUMENTS = {
    "CORPUS": "data data-dir data-path dataset input input-file input-txt file files corpus text "
    "text-file train train-file train-data path i",
    "FILE": "data data-dir dataset input input-file file files corpus text-file path test "
    "test-file i",
    "RUN": "model run checkpoint ckpt weights load init-from model-path m",
}
"""The same for what stands without an option, by a word of its form in the help."""

COMMANDS = {
    "train": "fit learn run finetune fine-tune resume continue pretrain supervised",
    "sample": "generate gen write complete draw test-sample text",
    "predict": "classify label tag restore infer inference annotate",
    "eval": "evaluate evaluation test perplexity ppl validate bpc",
    "score": "rank surprisal logprob",
    "export": "convert save dump onnx",
    "info": "show inspect describe summary about",
    "report": "plot html visualize visualise dashboard tensorboard",
    "gradients": "gradient grad",
    "runs": "list ls models compare history clean",
    "bench": "benchmark speed profile time",
}
"""The same for the commands."""


def ours(name: str, table: Mapping[str, str] = OPTIONS, known: Iterable[str] = ()) -> list[str]:
    """Return what has a name elsewhere, at most three.

    Parameters
    ----------
    name : str
        With or without hyphens before it; an underscore is a hyphen.
    table : mapping of str to str
        One of those above.
    known : iterable of str
        Options, if only these are meant.
    """
    bare = name.lstrip("-").lower().replace("_", "-")
    options = set(known)
    return [
        option
        for option, names in table.items()
        if bare in names.split() and (not options or option.split()[0] in options)
    ][:3]
