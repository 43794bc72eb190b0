"""The training loop: the module with its loss, and the Trainer with rates by layer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

from detector.config import LossConfig, OptimiserConfig, Recipe
from detector.model import RhetoricModel, SpanBatch
from detector.train.resume import last_checkpoint

Progress = Callable[[str], None]
SECONDS_BETWEEN_LINES = 60
CHECKPOINT_STEPS = 200


class TrainingModule(nn.Module):
    """A `RhetoricModel` whose forward pass returns its loss."""

    def __init__(self, model: RhetoricModel, loss: LossConfig) -> None:
        super().__init__()
        self.model = model
        self.weights = loss

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        inside: Tensor,
        known: Tensor,
        corpus: Tensor,
        allowed: Tensor,
        spans: Tensor,
        matches: Tensor,
    ) -> dict[str, Tensor]:
        """``loss`` of a batch as `Collator` makes it, or `LowerOutputs` for a model of upper layers.

        ``inside`` (from 0 to 1) and ``known`` (0 or 1) ``(n_windows, n_pieces, 24)``;
        ``spans`` ``(n_spans, 5)``: window, first and last piece, count, bits of the techniques it may use;
        ``matches`` ``(n_matches, 4)``: window and piece, and which window and piece must say the same.
        """
        encoded = self.model.encode(input_ids, attention_mask)
        token_logits = encoded.token_logits + self.model.token_bias(corpus).unsqueeze(1)
        identification, techniques = token_losses(token_logits, inside, known, attention_mask)
        loss = self.weights.identification * identification + self.weights.techniques * techniques
        if len(spans):
            window, first, last, count, bits = spans.T
            logits = self.model.classify(encoded, SpanBatch(window, first, last, count))
            logits = logits + self.model.span_bias(corpus[window])
            loss = loss + self.weights.spans * span_loss(
                logits, bits, allowed[window], smoothing=self.weights.label_smoothing
            )
        if self.weights.consistency and len(matches):
            loss = loss + self.weights.consistency * disagreement(token_logits, matches)
        return {"loss": loss}


def disagreement(logits: Tensor, matches: Tensor) -> Tensor:
    """How far apart matched pieces' outputs ``(n_windows, n_pieces, 24)`` are: the mean of both Kullback-Leibler

    divergences of each output's probability, summed over the outputs, a piece.
    """
    window, piece, other_window, other_piece = matches.T
    here, there = logits[window, piece].float(), logits[other_window, other_piece].float()
    return ((here.sigmoid() - there.sigmoid()) * (here - there)).sum(dim=-1).mean() / 2


def token_losses(logits: Tensor, inside: Tensor, known: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Binary cross-entropies a piece: of identification, and summed over the techniques the corpus speaks of."""
    losses = functional.binary_cross_entropy_with_logits(logits.float(), inside, reduction="none") * known
    n_pieces = mask.sum().clamp(min=1)
    return losses[..., 0].sum() / n_pieces, losses[..., 1:].sum() / n_pieces


def span_loss(logits: Tensor, bits: Tensor, allowed: Tensor, *, smoothing: float) -> Tensor:
    """Cross-entropy of spans ``(n_spans, 23)`` over the techniques their corpus annotates.

    A span that may use one of several techniques is right when any of them is chosen.
    """
    techniques = torch.arange(1, logits.shape[-1] + 1, device=logits.device)
    right = (bits.unsqueeze(-1) >> techniques & 1).bool()
    chances = logits.float().masked_fill(allowed == 0, -1e4).log_softmax(dim=-1)
    hit = chances.masked_fill(~right, -1e4).logsumexp(dim=-1)
    even = (chances * allowed).sum(dim=-1) / allowed.sum(dim=-1)
    return -((1 - smoothing) * hit + smoothing * even).mean()


def parameter_groups(module: nn.Module, config: OptimiserConfig) -> list[dict[str, Any]]:
    """Parameters by learning rate and weight decay: heads, then the encoder's layers from the top down.

    Biases, norms and the corpus biases are not decayed; frozen parameters are in no group.
    """
    trained = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    depth_of = {name: _depth(name) for name in trained}
    top = max(depth_of.values())
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in trained.items():
        depth = depth_of[name]
        rate = config.head_rate if depth < 0 else config.encoder_rate * config.layer_decay ** (top - depth)
        decay = 0.0 if parameter.dim() < 2 or "_bias" in name else config.weight_decay
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]


def _depth(name: str) -> int:
    """-1 for the heads, 0 for the embeddings, ``i + 1`` for the encoder's layer ``i``."""
    if ".encoder." not in f".{name}":
        return -1
    layer = re.search(r"\.layer\.(\d+)\.", name)
    return int(layer.group(1)) + 1 if layer else 0


class Training(Trainer):  # type: ignore[misc]
    """A Trainer with rates by layer, that validates with a function of ours."""

    def __init__(self, *, optimiser: OptimiserConfig, validate: Callable[[], dict[str, float]], **rest: Any) -> None:
        super().__init__(**rest)
        self.optimizer: Any
        self.optimiser = optimiser
        self.validate = validate

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """AdamW over `parameter_groups`."""
        if self.optimizer is None:
            groups = parameter_groups(self.model, self.optimiser)
            self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6, fused=True)
        return self.optimizer

    def _get_train_sampler(self, *args: Any) -> ByEpoch:
        return ByEpoch(self)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Scores on the validation documents, logged under ``eval_…``."""
        self.model.eval()
        scores = {f"eval_{name}": value for name, value in self.validate().items()}
        self.model.train()
        self.log(scores)
        return scores


class ByEpoch(LengthGroupedSampler):  # type: ignore[misc]
    """Rows of like lengths together, in an order that seed and epoch decide: a training that goes on meets it again."""

    def __init__(self, trainer: Training) -> None:
        super().__init__(trainer.args.train_batch_size, lengths=list(trainer.train_dataset["length"]))
        self.trainer = trainer

    def __iter__(self) -> Iterator[int]:
        epoch = int(self.trainer.state.epoch or 0)
        self.generator = torch.Generator().manual_seed(1000 * self.trainer.args.seed + epoch)
        return iter(super().__iter__())


class ProgressLines(TrainerCallback):  # type: ignore[misc]
    """Says how far the training is, its loss and the time left: a line a minute, and one for each validation."""

    def __init__(self, say: Progress, saved: Callable[[], None]) -> None:
        self.say, self.saved = say, saved
        self.started = self.last_line = time.monotonic()
        self.first_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Remembers where a resumed training starts."""
        self.started, self.first_step = time.monotonic(), state.global_step

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Tells that a checkpoint is there."""
        self.saved()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """A line for a validation, or at most one a minute for the loss."""
        logs = logs or {}
        scores = [
            f"{name.removeprefix('eval_')} {value:.3f}" for name, value in logs.items() if name.startswith("eval_")
        ]
        if scores:
            self.say(f"epoch {state.epoch:.0f}: " + ", ".join(scores))
        elif "loss" in logs and time.monotonic() - self.last_line >= SECONDS_BETWEEN_LINES:
            self.last_line = time.monotonic()
            a_step = (self.last_line - self.started) / max(1, state.global_step - self.first_step)
            left = time.strftime("%H:%M:%S", time.gmtime(a_step * (state.max_steps - state.global_step)))
            self.say(f"step {state.global_step} of {state.max_steps}, loss {float(logs['loss']):.3f}, {left} left")


def fit(
    module: TrainingModule,
    recipe: Recipe,
    dataset: Any,
    collator: Callable[[Any], dict[str, Tensor]],
    *,
    folder: Path,
    validate: Callable[[], dict[str, float]] | None,
    seed: int,
    say: Progress,
    saved: Callable[[], None] = lambda: None,
) -> list[dict[str, float]]:
    """Trains ``module`` to the end of the last epoch; returns the scores after each epoch, if ``validate`` gives any.

    The rate falls to zero, so the last epoch needs no choosing. ``folder`` keeps checkpoints: a training that was
    stopped goes on from the last one. ``saved`` is called after each.
    """
    trainer = Training(
        optimiser=recipe.optimiser,
        validate=validate or dict,
        model=module,
        args=_arguments(recipe, folder, seed),
        data_collator=collator,
        train_dataset=dataset,
        eval_dataset=dataset.select(range(0)),
        callbacks=[ProgressLines(say, saved)],
    )
    trainer.remove_callback(PrinterCallback)  # it prints every log entry to standard output
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    return [_scores(entry) for entry in trainer.state.log_history if any(name[:5] == "eval_" for name in entry)]


def _scores(entry: dict[str, float]) -> dict[str, float]:
    return {
        name.removeprefix("eval_"): value for name, value in entry.items() if name == "epoch" or name[:5] == "eval_"
    }


def _arguments(recipe: Recipe, folder: Path, seed: int) -> TrainingArguments:
    config = recipe.optimiser
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        lr_scheduler_type="linear",
        warmup_steps=config.warmup,
        max_grad_norm=config.max_grad_norm,
        bf16=bfloat16_is_fast(),
        use_cpu=training_device() == "cpu",
        eval_strategy="epoch",
        save_strategy="steps",
        save_steps=CHECKPOINT_STEPS,
        save_total_limit=2,
        logging_steps=10,
        remove_unused_columns=False,
        label_names=[],
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to=[],
        seed=seed,
    )


def training_device() -> str:
    """Where a training runs: a GPU, if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def bfloat16_is_fast() -> bool:
    """Whether products in bfloat16 run in hardware here."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
