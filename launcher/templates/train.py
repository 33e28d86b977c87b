"""Learn a noisy sine. An ordinary Keras script: it runs without launcher, too.

python train.py --units=16 --epochs=20 --seed=7
"""

import argparse

import keras
import numpy as np

# Setup: one option for each parameter of the job file

parser = argparse.ArgumentParser()
parser.add_argument("--units", type=int, default=16)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--seed", type=int, default=7)
args = parser.parse_args()
keras.utils.set_random_seed(args.seed)

# Data

rng = np.random.default_rng(args.seed)
x = rng.uniform(-3, 3, size=(600, 1)).astype("float32")  # (600, 1)
y = np.sin(x) + rng.normal(0, 0.1, size=x.shape).astype("float32")  # (600, 1)

# Model

model = keras.Sequential(
    [
        keras.Input((1,)),  # (batch, 1)
        keras.layers.Dense(args.units, activation="relu"),  # (batch, units)
        keras.layers.Dense(args.units, activation="relu"),  # (batch, units)
        keras.layers.Dense(1),  # (batch, 1)
    ]
)
model.compile(keras.optimizers.Adam(0.01), loss="mse")

# Train: 400 rows to learn from, 100 to watch

model.fit(x[:400], y[:400], validation_data=(x[400:500], y[400:500]), epochs=args.epochs, verbose=2)

# Evaluate: 100 rows that nothing has seen

loss = model.evaluate(x[500:], y[500:], verbose=0)
print(f"mean squared error on the test rows: {loss:.4f} (the noise alone: 0.0100)")

# Whatever the script leaves in its folder is kept with the run
model.save("model.keras")
