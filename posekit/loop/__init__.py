"""The parts of `posekit.training.fit`, in the order in which they run.

options: what the training is to do.
distribution: the strategy, and what workers tell each other.
train_step: the optimizer is prepared and the step compiled.
runs: the folder is opened and locked, its recipe compared and written.
logs, interruption: the log is opened, signals are caught; loop_state carries all of it along.
callback_state, resuming: the newest checkpoint is put back, or all take the chief's variables.
batches: the order of the samples, from the step at which the run stands; the input's watchdog.
train_epoch: batch, step, check for NaN (divergence), checkpoint; a signal ends it here.
epoch_end: validation, pictures, best and last model, callbacks, checkpoint, log; then again
train_epoch, until the last epoch is done.
"""
