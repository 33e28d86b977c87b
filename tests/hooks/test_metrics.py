"""metrics.json: what evaluate returned, and the metric, best epoch and last values of the last fit."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from launcher.hooks.launcher_metrics import FitSummary, MetricsFile, list_scalars, mode_of
from launcher.hooks.launcher_run import Run

if TYPE_CHECKING:
    from tests.hooks.conftest import HookedRun

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.keras
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_records_by_name_what_evaluate_returns_in_any_form(hooked: HookedRun, backend: str) -> None:
    script = """
        import keras
        model = make_model(keras, metrics=[])
        number = model.evaluate(x, y, verbose=0)
        assert type(number) is float, number
        model = make_model(keras)
        named = model.evaluate(x, y, verbose=0, return_dict=True)
        assert type(named) is dict and list(named) == ["loss", "mae"]
        assert model.evaluate(x, y, 24, 0) == [named["loss"], named["mae"]]

        class Ruin(keras.callbacks.Callback):
            def on_test_end(self, logs=None):
                logs["loss"] = 5.0
        callbacks = keras.callbacks.CallbackList([Ruin()], model=model)
        assert model.evaluate(x, y, verbose=0, callbacks=[Ruin()], return_dict=True) == named
        model.evaluate(x, y, callbacks=Ruin())
        model.evaluate(x, y, callbacks=callbacks)
        assert len(callbacks.callbacks) == 1

        class Test(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.evaluate(x[:8], y[:8], verbose=0)
        model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y), callbacks=[Test()])
        try:
            model.evaluate(x, y, wrong=1)
        except (TypeError, ValueError):
            pass
        json.dump([number, named], open("returned.json", "w"))
    """

    output = hooked.run(script, backend=backend)

    number, named = hooked.read("returned.json")
    found = [each["values"] for each in hooked.metrics["evaluate"]]
    assert output.said == []
    assert found[:6] == [{"loss": number}, *[named] * 5]
    assert len(found) == 8
    assert hooked.metrics["metric"] == "val_mae"
    assert hooked.metrics["last"] == {name: float(value) for name, value in list(hooked.rows[-1].items())[4:]}


def summary_of(run: Run, epochs: list[dict[str, float]], *, compiled: str | None = None) -> dict[str, Any]:
    summary = FitSummary(run, compiled=compiled)
    for number, values in enumerate(epochs):
        summary.see(number, values)
    return summary.to_json(4)


@pytest.mark.parametrize(
    ("names", "compiled", "metric", "mode"),
    [
        (("loss", "acc", "val_loss", "val_acc"), "acc", "val_acc", "max"),
        (("loss", "val_loss", "val_extra"), None, "val_loss", "min"),
        (("loss", "acc"), "acc", "loss", "min"),
        (("d_loss", "g_loss"), None, "loss", "min"),
    ],
)
def test_the_default_metric_is_the_first_there_is(
    names: tuple[str, ...], compiled: str | None, metric: str, mode: str
) -> None:
    found = summary_of(Run("."), [dict.fromkeys(names, 0.5)], compiled=compiled)

    assert (found["metric"], found["mode"]) == (metric, mode)


def test_a_metric_that_appears_later_is_the_default_from_its_first_epoch_on() -> None:
    found = summary_of(Run("."), [{"loss": 3.0}, {"loss": 2.0, "val_loss": 7.0}, {"loss": 1.0}])

    assert found["metric"] == "val_loss"
    assert found["best"] == {"fit": 4, "epoch": 1, "value": 7.0}
    assert found["last"] == {"loss": 1.0}


def test_the_best_epoch_is_the_first_of_equals_and_never_one_that_is_not_finite() -> None:
    epochs = [{"score": value} for value in (NAN, 1.0, 3.0, 3.0, INFINITE)]

    found = summary_of(Run(".", metric="score"), epochs)

    assert found["best"] == {"fit": 4, "epoch": 2, "value": 3.0}
    assert found["last"] == {"score": None}


def test_the_mode_that_was_asked_for_wins_over_the_name() -> None:
    found = summary_of(Run(".", metric="acc", mode="min"), [{"acc": 0.2}, {"acc": 0.1}])

    assert (found["mode"], found["best"]["epoch"]) == ("min", 1)


@pytest.mark.parametrize("metric", ["nowhere", "evaluate.acc"])
def test_a_metric_that_no_epoch_logs_has_no_best(metric: str) -> None:
    found = summary_of(Run(".", metric=metric), [{"loss": 1.0}])

    assert (found["metric"], found["best"], found["last"]) == (metric, None, {"loss": 1.0})


@pytest.mark.parametrize(
    ("metric", "mode"),
    [
        *((name, "max") for name in ("val_accuracy", "AUC", "evaluate.precision", "mean_io_u", "f1_score")),
        *((name, "max") for name in ("cosine_similarity", "true_positives", "r2_score")),
        *((name, "min") for name in ("loss", "left_loss", "mae", "val_mean_squared_error", "accuracy_loss")),
        *((name, "min") for name in ("binary_crossentropy", "kl_divergence", "false_positives", "anything")),
    ],
)
def test_the_mode_comes_from_the_name(metric: str, mode: str) -> None:
    assert mode_of(metric) == mode


def test_an_earlier_attempts_file_is_begun_anew(hooked: HookedRun) -> None:
    MetricsFile(Run(str(hooked.folder))).add_evaluation({"loss": 1.0})
    os.utime(hooked.folder / "metrics.json", ns=(0, 0))

    MetricsFile(Run(str(hooked.folder), metric="val_acc")).add_evaluation({"loss": INFINITE})

    assert hooked.metrics == {
        "evaluate": [{"values": {"loss": None}}],
        "metric": "val_acc",
        "mode": "max",
        "best": None,
        "last": None,
    }


def test_a_broken_file_is_begun_anew(hooked: HookedRun) -> None:
    (hooked.folder / "metrics.json").write_text('{"evaluate": [')

    MetricsFile(Run(str(hooked.folder))).add_evaluation({"loss": 1.0})

    assert hooked.metrics["evaluate"] == [{"values": {"loss": 1.0}}]


def test_an_earlier_fit_that_ends_later_does_not_hide_the_last(hooked: HookedRun) -> None:
    run = Run(str(hooked.folder))
    summaries = [FitSummary(run, compiled=None), FitSummary(run, compiled=None)]
    for summary, loss in zip(summaries, (1.0, 2.0), strict=True):
        summary.see(0, {"loss": loss})

    MetricsFile(run).end_fit(1, summaries[1])
    MetricsFile(run).end_fit(0, summaries[0])

    assert hooked.metrics["best"] == {"fit": 1, "epoch": 0, "value": 2.0}


def test_epochs_are_written_at_most_once_a_second(hooked: HookedRun) -> None:
    run = Run(str(hooked.folder))
    file, summary = MetricsFile(run), FitSummary(run, compiled=None)

    for epoch in range(3):
        summary.see(epoch, {"loss": -epoch})
        file.add_epoch(0, summary)

    assert hooked.metrics["best"]["epoch"] == 0


def test_the_first_epoch_is_written_whatever_else_was_a_moment_ago(hooked: HookedRun) -> None:
    run = Run(str(hooked.folder))
    file, summary = MetricsFile(run), FitSummary(run, compiled=None)

    file.add_evaluation({"loss": 1.0})
    file.add_fast(None)
    summary.see(0, {"loss": 2.0})
    file.add_epoch(0, summary)

    assert hooked.metrics["best"] == {"fit": 0, "epoch": 0, "value": 2.0}


def test_only_the_newest_thousand_evaluations_are_kept(hooked: HookedRun) -> None:
    (hooked.folder / "metrics.json").write_text(json.dumps({"evaluate": [{"values": {}}] * 1000}))

    MetricsFile(Run(str(hooked.folder))).add_evaluation({"loss": 1.0})

    assert len(hooked.metrics["evaluate"]) == 1000
    assert hooked.metrics["evaluate"][-1] == {"values": {"loss": 1.0}}


def test_only_single_numbers_are_values() -> None:
    logs = {"a": 1, "b": True, 3: 2.5, "text": "1.0", "none": None, "list": [1.0], "huge": 10**999}

    assert list_scalars(logs) == {"a": 1.0, "b": 1.0, "3": 2.5}
    assert list_scalars(None) == {}
